"""Results: how each check of a run ended, as values for every view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.checks.delivery import DeliveryStatus
from reconciler.checks.poll import CheckStatus
from reconciler.core.data_source import Item
from reconciler.core.diagnostic import Position
from reconciler.core.target import Target


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """The deliveries of a canary's notifications; durations are milliseconds, None if one did not arrive."""

    status: DeliveryStatus
    delivered_after: int | None = None
    resolved_after: int | None = None
    times: int = 0
    """How often the notification that it fires arrived."""


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """The outcome of one check; durations are milliseconds.

    ``reason`` says what was found, or why the expectation does not hold. ``failing_items`` are the items that violate
    it. ``attempts`` counts the queries. ``held_after`` is how long it took until the expectation first held; a canary
    has ``visible_after`` and ``gone_after``, and ``delivery`` if it is expected to be delivered.
    """

    status: CheckStatus
    reason: str
    failing_items: tuple[Item, ...] = ()
    attempts: int = 0
    held_after: int | None = None
    visible_after: int | None = None
    gone_after: int | None = None
    delivery: DeliveryOutcome | None = None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check; instants are epoch milliseconds. ``about`` briefly says what it checks."""

    name: str
    about: str
    outcome: CheckOutcome
    started_at: int
    ended_at: int
    description: str | None = None
    position: Position | None = None

    @property
    def status(self) -> CheckStatus:
        return self.outcome.status


@dataclass(frozen=True, slots=True)
class Report:
    """The results of all checks of a run, in the order of the configuration; ``targets`` has each provider's target."""

    stack: str
    started_at: int
    ended_at: int
    results: tuple[CheckResult, ...]
    targets: Mapping[str, Target] = field(default_factory=dict)

    @property
    def counts(self) -> Mapping[CheckStatus, int]:
        """The number of checks by status."""
        return Counter(result.status for result in self.results)

    @property
    def passed(self) -> bool:
        return all(result.status is CheckStatus.PASSED for result in self.results)
