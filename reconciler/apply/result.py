"""The result of an apply: what was sent, its outcome, and what remains."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from reconciler.core.operation import Outcome, ServiceErrorDetail, Status
from reconciler.core.origin import Origin
from reconciler.plan.plan import Change, Plan


class ApplyStatus(StrEnum):
    """How a run ended."""

    COMPLETE = "complete"
    """Complete: everything was tried."""
    DENIED = "denied"
    """A service rejected the credentials (401, 403)."""
    INTERRUPTED = "interrupted"
    """Ctrl-C, or a termination signal."""
    DEADLINE = "deadline"
    """The run's own deadline passed."""
    LEASE_LOST = "lease-lost"
    """The lease was taken over or broken, or it expired."""
    LEDGER_FAILED = "ledger-failed"
    """The ledger could not be written during the run."""
    FAILED = "failed"
    """An internal error."""


class Result(NamedTuple):
    """What one apply did; instants are epoch milliseconds.

    ``outcomes`` has every operation of the plan that was begun; one without an outcome was not started. ``unconfirmed``
    are keys of done operations whose effect was not visible when the deadline passed. ``command`` is the command:
    ``apply``, ``destroy``, ... ``possible_duplicates`` are keys of operations by which an alarm fires twice, or may:
    conditional clears, if the service did not show yet whether there is a second alarm, and repeated pushes. ``origin``
    is who started the run; None if none began.
    """

    plan: Plan
    run: str
    started_at: int
    ended_at: int
    ending: ApplyStatus
    outcomes: Mapping[str, Outcome]
    unconfirmed: frozenset[str] = frozenset()
    cause: ServiceErrorDetail | None = None
    command: str = "apply"
    possible_duplicates: frozenset[str] = frozenset()
    origin: Origin | None = None

    def status(self, change: Change) -> Status | None:
        """The worst status of the change's operations; None if one of them was not started.

        A conditional clear does not count until it was begun.
        """
        outcomes = self.outcomes
        found = [outcomes.get(op.key) for op in change.operations if op.key in outcomes or not op.only_if_duplicate]
        statuses = [outcome.status for outcome in found if outcome is not None]
        for worst in (Status.FAILED, Status.UNKNOWN):
            if worst in statuses:
                return worst
        return Status.DONE if len(statuses) == len(found) else None

    @property
    def remaining(self) -> tuple[Change, ...]:
        """The changes that are not done."""
        return tuple(change for change in self.plan.pending if self.status(change) is not Status.DONE)

    @property
    def may_have_sent(self) -> bool:
        """Whether anything may have reached a service."""
        return any(outcome.status is not Status.FAILED for outcome in self.outcomes.values())


class RunFailedError(Exception):
    """An internal error ended a run: its result so far. The error itself is the cause."""

    def __init__(self, result: Result) -> None:
        super().__init__("the run failed")
        self.result = result
