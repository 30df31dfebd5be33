"""The executor: performs the steps of a drill through the session, and records the outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Event

from reconciler.apply.result import ApplyStatus, Result
from reconciler.checks.canary import CanarySession
from reconciler.checks.poll import CheckStatus
from reconciler.checks.result import Report
from reconciler.checks.run import NullCheckWatcher, run_checks
from reconciler.core.action import Action as PlanAction
from reconciler.core.desired import Desired
from reconciler.core.duration import MINUTE, rough_duration
from reconciler.core.observed import Observed, State
from reconciler.core.operation import Status, Verb
from reconciler.core.retry import poll_intervals
from reconciler.drill.cleanup import account_for
from reconciler.drill.context import DrillStopped, RunContext, StepFailed, StopConditions
from reconciler.drill.drill import TIMEOUT, Drill, to_raise, to_record, with_timeout
from reconciler.drill.observer import EffectObserver, ObservingClock
from reconciler.drill.record import DrillStatus, Emission
from reconciler.drill.spec import StepAction
from reconciler.drill.store import RunJournal
from reconciler.drill.timeline import Step
from reconciler.plan.plan import Change, Plan
from reconciler.providers.protocol import ErrorKind, ServiceError
from reconciler.session.session import StackSession

OBSERVE_DEADLINE = MINUTE
"""How long (ms) a step retries a service that cannot be queried."""


class StepExecutor:
    """Executes the steps of one run, one at a time; keeps the alarms as they were raised."""

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
        self._raised: dict[str, Desired] = {}

    def execute(self, step: Step) -> str:
        """Execute a step; returns its outcome. Raises StepFailed, and DrillStopped if the drill cannot continue."""
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
        """Run checks while the observer continues; their results are recorded."""
        report = run_checks(
            self._drill.stack,
            self._context.checks(names),
            self._context.query,
            self._canaries,
            ObservingClock(self._clock, self._observer),
            self._stop,
            NullCheckWatcher(),
            self._context.receivers,
        )
        self._journal.checked(phase, report)
        return report

    def _raise(self, step: Step) -> str:
        record = self._journal.record
        assert record.started_at is not None  # noqa: S101 - narrows a type
        left = max(0, record.started_at + record.max_duration - self._clock.now())
        observed = self._observed()
        active = {found.marks.address: found for found in observed if found.state is State.ACTIVE}
        desired = []
        for resource in self._drill.of(step):
            one = resource.desired
            found = active.get(one.address)
            if found is not None and isinstance(timeout := found.attributes.get(TIMEOUT), int):
                one = with_timeout(one, timeout)  # it is already active, so raising it again changes nothing
            else:
                one = self._raised.get(str(one.address)) or to_raise(one, left)
            desired.append(one)
        plan = self._session.plan(desired, observed, [one.address for one in desired])
        pushed = self._apply(step, plan)
        self._raised.update((str(change.address), change.desired) for change in pushed if change.desired is not None)
        already = sum(change.action is PlanAction.NO_OP for change in plan.changes)
        return ", ".join(
            words
            for number, words in ((len(pushed), f"raised {len(pushed)}"), (already, f"{already} already active"))
            if number
        )

    def _record(self, step: Step) -> str:
        desired = [to_record(one.desired, self._journal.record.run, step.name) for one in self._drill.of(step)]
        plan = self._session.plan(desired, self._observed(desired), [one.address for one in desired])
        pushed = self._apply(step, plan)
        return f"recorded {len(pushed)}" if pushed else "recorded already"

    def _clear(self, step: Step) -> str:
        wanted = [one.desired._replace(firing=False) for one in self._drill.of(step)]
        addresses = [one.address for one in wanted]
        until = self._clock.now() + self._session.visible_within + 10_000
        for pause in poll_intervals():
            plan = self._session.plan(wanted, self._observed(), addresses)
            # An alarm that is pushed but not visible yet has no id to clear it by.
            if not plan.problems or self._clock.now() >= until:
                break
            self._end.check()
            self._observer.poll()
            self._clock.pause(pause, self._stop)
        cleared = self._apply(step, plan)
        for address in addresses:
            self._raised.pop(str(address), None)
        missed = len(plan.changes) - len(plan.pending)
        if missed:
            account_for(self._session, self._journal)
        return f"cleared {len(cleared)}" + (f", {missed} no longer active" if missed else "")

    def _check_step(self, step: Step) -> str:
        report = self.check(step.name, step.checks)
        bad = [result for result in report.results if result.status is not CheckStatus.PASSED]
        if any(result.status is CheckStatus.INTERRUPTED for result in bad):
            self._end.check()
        if bad:
            raise StepFailed("; ".join(f"{result.name} {result.status}: {result.outcome.reason}" for result in bad))
        return "; ".join(f"{result.name} passed: {result.outcome.reason}" for result in report.results)

    def _pause(self, step: Step) -> str:
        began = self._clock.now()

        def attend() -> bool:
            self._observer.poll()
            try:
                self._end.check()
            except DrillStopped:
                return False
            return True

        how = self._context.confirm(self._journal.record, step.text, attend)
        if how is None:
            self._end.check()
            raise DrillStopped(DrillStatus.ABORTED, f"pause {step.name} was not confirmed")
        took = self._clock.now() - began
        self._journal.write(paused_for=self._journal.record.paused_for + took)
        return f"{how} after {rough_duration(took)}"

    def _note(self, step: Step) -> str:
        return step.text

    def _observed(self, desired: Sequence[Desired] = ()) -> list[Observed]:
        """The drill's active alarms and the desired events; retries for a while if the service cannot be queried."""
        until = self._clock.now() + OBSERVE_DEADLINE
        for pause in poll_intervals():
            try:
                return self._session.observe(desired)
            except ServiceError as error:
                if error.kind is ErrorKind.DENIED:
                    raise DrillStopped(DrillStatus.FAILED, str(error.detail)) from None
                if self._clock.now() >= until:
                    raise StepFailed(f"could not query the service: {error.detail}") from None
            self._end.check()
            self._clock.pause(pause, self._stop)
        raise AssertionError("polling never ends")

    def _apply(self, step: Step, plan: Plan) -> list[Change]:
        """Apply the plan of a step and record every outcome; returns the changes that are done.

        Raises StepFailed if a change is not done, and DrillStopped if the drill cannot continue.
        """
        if plan.problems:
            raise StepFailed("; ".join(problem.summary for problem in plan.problems))
        if not plan.pending:
            return []
        now = self._clock.now()
        new = [self._emission(step, change, now) for change in plan.pending if change.action is not PlanAction.CLEAR]
        self._journal.send(*new)
        result = self._session.apply(plan, self._stop)
        done = [change for change in plan.pending if result.status(change) is Status.DONE]
        self._record_outcomes(step, plan, result, now)
        self._observer.track(
            [
                one
                for one in plan.operations
                if one.key in result.outcomes and result.outcomes[one.key].status is Status.DONE
            ]
        )
        self._observer.poll()
        if result.ending is ApplyStatus.DENIED:
            raise DrillStopped(DrillStatus.FAILED, str(result.cause))
        undone = [outcome for outcome in result.outcomes.values() if outcome.status is not Status.DONE]
        if result.remaining:
            self._end.check()
            reason = f": {undone[0].error}" if undone and undone[0].error else ""
            raise StepFailed(f"{len(result.remaining)} of {len(plan.pending)} not done{reason}")
        return done

    def _emission(self, step: Step, change: Change, now: int) -> Emission:
        desired = change.desired
        assert desired is not None  # noqa: S101 - narrows a type
        resource = next(one for one in self._drill.resources if one.desired.address == change.address)
        timeout = desired.attributes.get(TIMEOUT)
        return Emission(
            address=str(resource.address),
            marked_address=str(change.address),
            name=resource.event_name,
            severity=resource.severity,
            is_event=desired.occurrence is not None,
            step=step.name,
            keys=tuple(operation.key for operation in change.operations if operation.verb is Verb.PUSH),
            sent_at=now,
            until=now + timeout if isinstance(timeout, int) else None,
        )

    def _record_outcomes(self, step: Step, plan: Plan, result: Result, at: int) -> None:
        """Record the outcome of each push and clear."""
        cleared = {
            str(change.address): tuple(operation.key for operation in change.operations)
            for change in plan.pending
            if change.action is PlanAction.CLEAR and result.status(change) is Status.DONE
        }

        def change(sent: Emission) -> Emission:
            if sent.marked_address in cleared and sent.active:
                keys = cleared[sent.marked_address]
                return sent.model_copy(update={"ended_at": at, "ended_by": f"step {step.name}", "clear_keys": keys})
            outcomes = [result.outcomes[key] for key in sent.keys if key in result.outcomes]
            if outcomes and outcomes[0].status is not Status.DONE:
                failed = outcomes[0].status is Status.FAILED
                push_error = f"{outcomes[0].status}: {outcomes[0].error or 'no answer'}"
                return sent.model_copy(update={"push_error": push_error, "unsent": failed})
            return sent

        self._journal.update(change)

    def _canaries(self) -> AbstractContextManager[CanarySession]:
        return nullcontext(self._context.canaries)
