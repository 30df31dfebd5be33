"""Acts: what a step does, for each action it can have."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Event

from reconciler.checks.canary import CanarySession
from reconciler.checks.poll import CheckStatus
from reconciler.checks.result import CheckResult, Report
from reconciler.checks.run import run_checks
from reconciler.core.action import Action as PlanAction
from reconciler.core.desired import Desired
from reconciler.core.duration import rough_duration
from reconciler.core.observed import State
from reconciler.core.retry import poll_intervals
from reconciler.drill.cleanup import account_for
from reconciler.drill.context import RunContext
from reconciler.drill.delivery import Delivery
from reconciler.drill.drill import TIMEOUT, Drill, to_raise, to_record, with_timeout
from reconciler.drill.journal import RunJournal
from reconciler.drill.observer import EffectObserver, ObservingClock
from reconciler.drill.record import DrillStatus
from reconciler.drill.spec import StepAction
from reconciler.drill.stop import DrillStopped, StepFailed, StopConditions
from reconciler.drill.timeline import Step
from reconciler.session.session import StackSession


class StepExecutor:
    """The steps of one run, taken one at a time; keeps what each alarm was raised as."""

    def __init__(
        self,
        drill: Drill,
        session: StackSession,
        context: RunContext,
        journal: RunJournal,
        observer: EffectObserver,
        end: StopConditions,
        stop: Event,
    ) -> None:
        self._drill = drill
        self._session = session
        self._context = context
        self._journal = journal
        self._observer = observer
        self._end = end
        self._stop = stop
        self._clock = session.clock
        self._delivery = Delivery(drill, session, journal, observer, end, stop)
        self._raised: dict[str, Desired] = {}

    def execute(self, step: Step) -> str:
        """Take a step: what came of it. Raises StepFailed, and OverError where the drill can't go on."""
        act = {
            StepAction.RAISE: self._raise,
            StepAction.CLEAR: self._clear,
            StepAction.RECORD: self._record,
            StepAction.CHECK: self._check_step,
            StepAction.PAUSE: self._pause,
            StepAction.NOTE: self._note,
        }[step.action]
        return act(step)

    def check(self, phase: str, names: Sequence[str]) -> Report:
        """Run checks, watching meanwhile what was sent; what they found goes into the record."""
        report = run_checks(
            self._drill.stack,
            self._context.checks(names),
            self._context.query,
            self._canaries,
            ObservingClock(self._clock, self._observer),
            self._stop,
            _NullProgress(),
            self._context.receivers,
        )
        self._journal.checked(phase, report)
        return report

    def _raise(self, step: Step) -> str:
        record = self._journal.record
        assert record.started_at is not None
        left = max(0, record.started_at + record.max_duration - self._clock.now())
        observed = self._delivery.observed()
        active = {found.marks.address: found for found in observed if found.state is State.ACTIVE}
        desired = []
        for resource in self._drill.of(step):
            one = resource.desired
            found = active.get(one.address)
            if found is not None and isinstance(timeout := found.attributes.get(TIMEOUT), int):
                one = with_timeout(one, timeout)  # it fires already: raising it again changes nothing
            else:
                one = self._raised.get(str(one.address)) or to_raise(one, left)
            desired.append(one)
        plan = self._session.plan(desired, observed, [one.address for one in desired])
        pushed = self._delivery.apply(step, plan)
        self._raised.update((str(change.address), change.desired) for change in pushed if change.desired is not None)
        already = sum(change.action is PlanAction.NO_OP for change in plan.changes)
        return ", ".join(
            words
            for number, words in ((len(pushed), f"raised {len(pushed)}"), (already, f"{already} already firing"))
            if number
        )

    def _record(self, step: Step) -> str:
        desired = [to_record(one.desired, self._journal.record.run, step.name) for one in self._drill.of(step)]
        plan = self._session.plan(desired, self._delivery.observed(desired), [one.address for one in desired])
        pushed = self._delivery.apply(step, plan)
        return f"recorded {len(pushed)}" if pushed else "on record already"

    def _clear(self, step: Step) -> str:
        wanted = [one.desired._replace(firing=False) for one in self._drill.of(step)]
        addresses = [one.address for one in wanted]
        until = self._clock.now() + self._session.visible_within + 10_000
        for pause in poll_intervals():
            plan = self._session.plan(wanted, self._delivery.observed(), addresses)
            # What was pushed and does not show yet has no id that it could be cleared by.
            if not plan.problems or self._clock.now() >= until:
                break
            self._end.check()
            self._observer.look()
            self._clock.wait(pause, self._stop)
        cleared = self._delivery.apply(step, plan)
        for address in addresses:
            self._raised.pop(str(address), None)
        missed = len(plan.changes) - len(plan.pending)
        if missed:
            account_for(self._session, self._journal)
        return f"cleared {len(cleared)}" + (f", {missed} did not fire any more" if missed else "")

    def _check_step(self, step: Step) -> str:
        report = self.check(step.name, step.checks)
        bad = [result for result in report.results if result.verdict is not CheckStatus.PASSED]
        if any(result.verdict is CheckStatus.INTERRUPTED for result in bad):
            self._end.check()
        if bad:
            raise StepFailed("; ".join(f"{result.name} {result.verdict}: {result.found.reason}" for result in bad))
        return "; ".join(f"{result.name} passed: {result.found.reason}" for result in report.results)

    def _pause(self, step: Step) -> str:
        began = self._clock.now()

        def attend() -> bool:
            self._observer.look()
            try:
                self._end.check()
            except DrillStopped:
                return False
            return True

        how = self._context.confirm(step.text, attend)
        if how is None:
            self._end.check()
            raise DrillStopped(DrillStatus.ABORTED, f"pause {step.name} was not confirmed")
        took = self._clock.now() - began
        self._journal.write(held=self._journal.record.held + took)
        return f"{how} after {rough_duration(took)}"

    def _note(self, step: Step) -> str:
        return step.text

    def _canaries(self) -> AbstractContextManager[CanarySession]:
        return nullcontext(self._context.canaries)


class _NullProgress:
    """A watcher of checks: what they find goes into the record."""

    def started(self, name: str, about: str) -> None: ...

    def polled(self, name: str, reason: str) -> None: ...

    def ended(self, result: CheckResult) -> None: ...
