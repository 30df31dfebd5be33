"""Delivery: the pushes and clears of a step, sent through the session, and written down."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

from reconciler.apply.result import ApplyStatus as ApplyEnding
from reconciler.apply.result import Result
from reconciler.core.action import Action
from reconciler.core.desired import Desired
from reconciler.core.duration import MINUTE
from reconciler.core.observed import Observed
from reconciler.core.operation import Status, Verb
from reconciler.core.retry import poll_intervals
from reconciler.drill.drill import TIMEOUT, Drill
from reconciler.drill.journal import RunJournal
from reconciler.drill.observer import EffectObserver
from reconciler.drill.record import DrillStatus, Emission
from reconciler.drill.stop import DrillStopped, StepFailed, StopConditions
from reconciler.drill.timeline import Step
from reconciler.plan.plan import Change, Plan
from reconciler.providers.protocol import ErrorKind, ServiceError
from reconciler.session.session import StackSession

SEND_DEADLINE = MINUTE
"""How long (ms) a step asks a service again that can't be asked."""


class Delivery:
    """Looks at what of a drill is there, and carries out the plans of its steps."""

    def __init__(
        self,
        drill: Drill,
        session: StackSession,
        journal: RunJournal,
        observer: EffectObserver,
        end: StopConditions,
        stop: Event,
    ) -> None:
        self._drill = drill
        self._session = session
        self._journal = journal
        self._observer = observer
        self._end = end
        self._stop = stop

    def observed(self, desired: Sequence[Desired] = ()) -> list[Observed]:
        """What of the drill is there, asked again for a while where the service can't say."""
        until = self._session.clock.now() + SEND_DEADLINE
        for pause in poll_intervals():
            try:
                return self._session.observe(desired)
            except ServiceError as error:
                if error.kind is ErrorKind.DENIED:
                    raise DrillStopped(DrillStatus.FAILED, str(error.detail)) from None
                if self._session.clock.now() >= until:
                    raise StepFailed(f"the service can't be asked: {error.detail}") from None
            self._end.check()
            self._session.clock.wait(pause, self._stop)
        raise AssertionError("polling never ends")

    def apply(self, step: Step, plan: Plan) -> list[Change]:
        """Apply the plan of a step: the changes that are done. What is not done is recorded, and ends the step."""
        if plan.problems:
            raise StepFailed("; ".join(problem.summary for problem in plan.problems))
        if not plan.pending:
            return []
        now = self._session.clock.now()
        new = [self._sent(step, change, now) for change in plan.pending if change.action is not Action.CLEAR]
        self._journal.send(*new)
        result = self._session.apply(plan, self._stop)
        done = [change for change in plan.pending if result.status(change) is Status.DONE]
        self._account(step, plan, result, now)
        self._observer.watch(
            [
                one
                for one in plan.operations
                if one.key in result.outcomes and result.outcomes[one.key].status is Status.DONE
            ]
        )
        self._observer.look()
        if result.ending is ApplyEnding.DENIED:
            raise DrillStopped(DrillStatus.FAILED, str(result.cause))
        undone = [outcome for outcome in result.outcomes.values() if outcome.status is not Status.DONE]
        if result.remaining:
            self._end.check()
            reason = f": {undone[0].error}" if undone and undone[0].error else ""
            raise StepFailed(f"{len(result.remaining)} of {len(plan.pending)} not done{reason}")
        return done

    def _sent(self, step: Step, change: Change, now: int) -> Emission:
        desired = change.desired
        assert desired is not None
        resource = next(one for one in self._drill.resources if one.desired.address == change.address)
        timeout = desired.attributes.get(TIMEOUT)
        return Emission(
            address=str(resource.address),
            mark=str(change.address),
            name=resource.event_name,
            severity=resource.severity,
            is_event=desired.occurrence is not None,
            step=step.name,
            keys=tuple(operation.key for operation in change.operations if operation.verb is Verb.PUSH),
            sent_at=now,
            until=now + timeout if isinstance(timeout, int) else None,
        )

    def _account(self, step: Step, plan: Plan, result: Result, at: int) -> None:
        """Write down what became of each push and clear."""
        cleared = {
            str(change.address)
            for change in plan.pending
            if change.action is Action.CLEAR and result.status(change) is Status.DONE
        }

        def change(sent: Emission) -> Emission:
            if sent.mark in cleared and sent.active:
                return sent.model_copy(update={"ended_at": at, "ended_by": f"step {step.name}"})
            outcomes = [result.outcomes[key] for key in sent.keys if key in result.outcomes]
            if outcomes and outcomes[0].status is not Status.DONE:
                failed = outcomes[0].status is Status.FAILED
                trouble = f"{outcomes[0].status}: {outcomes[0].error or 'no answer'}"
                return sent.model_copy(update={"trouble": trouble, "unsent": failed})
            return sent

        self._journal.update(change)
