"""The context of a drill run: dependencies injected besides its session, and stop conditions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from threading import Event

from reconciler.apply.lease import Owner
from reconciler.checks.canary import CanarySession
from reconciler.checks.delivery import AskReceiver
from reconciler.checks.spec import Check, UnresolvedCheck
from reconciler.core.clock import Clock
from reconciler.core.data_source import DataConfig, Item
from reconciler.core.delivery import DeliveryLog, DeliveryQuery
from reconciler.core.duration import format_duration
from reconciler.drill.drill import Drill
from reconciler.drill.observer import NotificationQuery
from reconciler.drill.record import DrillStatus, Record
from reconciler.drill.store import RunJournal, Watcher

Confirm = Callable[[Record, str, Callable[[], bool]], str | None]
"""Asks the operator to confirm a pause: how it was confirmed, or None if it was not, which aborts the drill.

The arguments are the run, the text of the pause, and a function that is called repeatedly while the operator
has not answered, and says whether to keep waiting.
"""


@dataclass(frozen=True, slots=True)
class RunContext:
    """Dependencies injected into a drill run: checks, queries, operator hooks, and the abort request."""

    checks: Callable[[Collection[str]], Sequence[Check | UnresolvedCheck]]
    query: Callable[[DataConfig, Collection[str]], Sequence[Item]]
    receivers: AskReceiver
    canaries: CanarySession
    notification_queries: Sequence[NotificationQuery]
    delivery_queries: Sequence[Callable[[DeliveryQuery], DeliveryLog]]
    confirm: Confirm
    aborted: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class OperatorHooks:
    """The operator of a run: identity, answers and progress; ``approve`` is the last question before the start.

    ``command`` makes a command line from words, with this run's stack and variables. ``aborted`` says whether the
    operator wants the drill to clear everything and end.
    """

    owner: Owner
    confirm: Confirm
    approve: Callable[[Drill], bool]
    watcher: Watcher
    stop: Event
    command: Callable[[str], str] = "reconciler {}".format
    aborted: Callable[[], bool] = lambda: False


class DrillStopped(Exception):  # noqa: N818  # how a drill ended, not a defect
    """The drill cannot continue."""

    def __init__(self, ending: DrillStatus, why: str) -> None:
        super().__init__(why)
        self.ending = ending
        self.why = why


class StepFailed(Exception):  # noqa: N818  # one step's outcome, not an error of ours
    """A step failed; the drill continues."""


class StopConditions:
    """Whether a drill was asked to stop, or has to stop."""

    def __init__(self, journal: RunJournal, clock: Clock, stop: Event, aborted: Callable[[], bool]) -> None:
        self._journal = journal
        self._clock = clock
        self._stop = stop
        self._aborted = aborted

    def check(self) -> None:
        """Raise DrillStopped if the drill has to stop."""
        record = self._journal.record
        assert record.started_at is not None  # noqa: S101 - narrows a type
        if self._stop.is_set():
            raise DrillStopped(DrillStatus.INTERRUPTED, "interrupted")
        if self._aborted():
            raise DrillStopped(DrillStatus.ABORTED, "aborted")
        if self._clock.now() >= record.started_at + record.max_duration:
            most = format_duration(record.max_duration)
            raise DrillStopped(DrillStatus.OVERTIME, f"max_duration of {most} has passed")
