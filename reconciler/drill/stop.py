"""The end: what ends a drill before its last step, and what ends a step."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from reconciler.core.clock import Clock
from reconciler.core.duration import format_duration
from reconciler.drill.journal import RunJournal
from reconciler.drill.record import DrillStatus


class DrillStopped(Exception):  # noqa: N818  # how a drill ended, not a defect
    """The drill cannot go on."""

    def __init__(self, ending: DrillStatus, why: str) -> None:
        super().__init__(why)
        self.ending = ending
        self.why = why


class StepFailed(Exception):  # noqa: N818  # one step's outcome, not an error of ours
    """A step could not be taken; the drill goes on."""


class StopConditions:
    """Whether a drill was asked to stop, or has to."""

    def __init__(self, journal: RunJournal, clock: Clock, stop: Event, aborted: Callable[[], bool]) -> None:
        self._journal = journal
        self._clock = clock
        self._stop = stop
        self._aborted = aborted

    def check(self) -> None:
        """Raise OverError where the drill is over."""
        record = self._journal.record
        assert record.started_at is not None
        if self._stop.is_set():
            raise DrillStopped(DrillStatus.INTERRUPTED, "interrupted")
        if self._aborted():
            raise DrillStopped(DrillStatus.ABORTED, "aborted")
        if self._clock.now() >= record.started_at + record.max_duration:
            most = format_duration(record.max_duration)
            raise DrillStopped(DrillStatus.OVERTIME, f"max_duration of {most} has passed")
