"""Running a drill: execute each step when it is due, observe its effect, and clear everything at the end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from threading import Event

from reconciler.apply.verify import DeniedError
from reconciler.core.clock import Clock
from reconciler.core.duration import MINUTE, SECOND
from reconciler.drill.cleanup import clear_all
from reconciler.drill.context import DrillStopped, RunContext, StepFailed, StopConditions
from reconciler.drill.drill import Drill
from reconciler.drill.executor import StepExecutor
from reconciler.drill.observer import EffectObserver
from reconciler.drill.record import DrillStatus, StepState
from reconciler.drill.store import RunJournal
from reconciler.drill.timeline import Due, next_due
from reconciler.ledger.protocol import LeaseLostError
from reconciler.session.session import StackSession

TICK = SECOND
"""How often (s) a waiting drill checks for an abort request."""
END_WINDOW = MINUTE
"""How long (ms) a drill waits at its end for the notifications of the last clears."""
REAL_WINDOW = 10 * SECOND
"""The minimum of that wait (ms) in a rehearsal, by the real clock."""
THE_END = "the end of the drill"


class DrillRunner:
    """One run of a drill, from its first step to its last clear; ``run`` can also continue a run that crashed."""

    def __init__(
        self, drill: Drill, session: StackSession, context: RunContext, journal: RunJournal, stop: Event
    ) -> None:
        self._drill = drill
        self._session = session
        self._journal = journal
        self._stop = stop
        self._clock: Clock = session.clock
        self._observer = EffectObserver(session, journal, context.notification_queries, context.delivery_queries)
        self._end = StopConditions(journal, session.clock, stop, context.aborted)
        self._executor = StepExecutor(drill, session, context, journal, self._observer, self._end, stop)

    def checks_pass(self, phase: str, names: Sequence[str]) -> bool:
        """Run the checks of ``before`` or ``after``; returns whether all passed."""
        return not names or self._executor.check(phase, names).passed

    def run(self) -> None:
        """Execute the remaining steps, clear, verify, and run the checks of ``after``."""
        try:
            ending, why = self._steps()
        except DrillStopped as error:
            ending, why = error.ending, error.why
        except LeaseLostError as error:
            ending, why = DrillStatus.FAILED, f"the lease on the stack was lost: {error}"
        except DeniedError as error:
            ending, why = DrillStatus.FAILED, str(error.detail)
        self._finish(ending, why)

    def _finish(self, ending: DrillStatus, why: str) -> None:
        skipped = tuple(
            step.model_copy(update={"state": StepState.SKIPPED, "outcome": why})
            if step.state in (StepState.WAITING, StepState.RUNNING)
            else step
            for step in self._journal.record.steps
        )
        self._journal.write(*([why] if why else []), ending=ending, why=why, steps=skipped)
        clear_all(
            self._session, self._journal, THE_END if ending is DrillStatus.COMPLETE else _cleared_by(ending), Event()
        )
        if ending is DrillStatus.COMPLETE and not self._stop.is_set():
            self.checks_pass("after", self._drill.spec.checks_after)
            self._await_ends()
        self._journal.write("the drill has ended", ended_at=self._clock.now())

    def _await_ends(self) -> None:
        """Wait for the end notifications of alarms whose start was delivered."""
        self._observer.poll_soon()
        # In a rehearsal, time runs faster than requests.
        until = self._clock.now() + max(END_WINDOW, round(REAL_WINDOW * (self._journal.record.speed - 1)))
        with suppress(DrillStopped):
            while self._observer.undelivered_ends() and self._clock.now() < until:
                self._end.check()
                pause = self._observer.poll()
                self._clock.pause(TICK if pause is None else min(TICK, max(pause, 10)), self._stop)

    def _steps(self) -> tuple[DrillStatus, str]:
        record = self._journal.record
        assert record.started_at is not None  # noqa: S101 - narrows a type
        started_at = record.started_at
        while True:
            record = self._journal.record
            ended = {step.name: step.ended_at - started_at for step in record.steps if step.ended_at is not None}
            due = next_due(self._drill.timeline, ended, record.paused_for)
            if due is None:
                return DrillStatus.COMPLETE, ""
            self._wait_until(started_at + due.offset)
            self._take(due, started_at)

    def _wait_until(self, instant: int) -> None:
        while True:
            self._end.check()
            left = instant - self._clock.now()
            if left <= 0:
                return
            pause = self._observer.poll()
            left = instant - self._clock.now()
            if left > 0:
                self._clock.pause(min(left, TICK, TICK if pause is None else max(pause, 10)), self._stop)

    def _take(self, due: Due, started_at: int) -> None:
        step = due.step
        now = self._clock.now()
        self._journal.step(step.name, state=StepState.RUNNING, due_at=started_at + due.offset, started_at=now)
        try:
            state, outcome = StepState.DONE, self._executor.execute(step)
        except StepFailed as error:
            state, outcome = StepState.FAILED, str(error)
        self._journal.step(
            step.name, f"{step.name}: {outcome}", state=state, outcome=outcome, ended_at=self._clock.now()
        )


def _cleared_by(ending: DrillStatus) -> str:
    return {
        DrillStatus.INTERRUPTED: "the interrupt",
        DrillStatus.ABORTED: "drill abort",
        DrillStatus.OVERTIME: "the end of max_duration",
    }.get(ending, THE_END)
