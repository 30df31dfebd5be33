"""Playing a drill: take each step when it is due, watch what it does, and clear everything at the end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Event

from reconciler.apply.result import Ending as ApplyEnding
from reconciler.apply.result import Result
from reconciler.apply.sender import DeniedError
from reconciler.checks.canary import Perch
from reconciler.checks.check import Check, Unasked
from reconciler.checks.result import CheckResult, Report
from reconciler.checks.run import run_checks
from reconciler.checks.watch import Verdict
from reconciler.config.stack import DataConfig
from reconciler.core.action import Action as PlanAction
from reconciler.core.clock import Clock
from reconciler.core.data_source import Item
from reconciler.core.desired import Desired
from reconciler.core.duration import MINUTE, format_duration, rough_duration
from reconciler.core.observed import Observed, State
from reconciler.core.operation import Status, Verb
from reconciler.core.patience import polling
from reconciler.drill.chronicle import Chronicle
from reconciler.drill.clearing import account_for, clear_all
from reconciler.drill.drill import TIMEOUT, Drill, to_raise, to_record, with_timeout
from reconciler.drill.notices import Asker
from reconciler.drill.record import Ending, Sent, StepState
from reconciler.drill.sightings import Attentive, Sightings
from reconciler.drill.spec import Action
from reconciler.drill.stage import Stage
from reconciler.drill.timeline import Due, Step, next_due
from reconciler.ledger.protocol import LeaseLostError
from reconciler.plan.plan import Change, Plan
from reconciler.providers.protocol import ServiceError
from reconciler.providers.protocol import Verdict as Meaning

TICK = 1.0
"""How often (s) a waiting drill looks whether it was told to end."""
PATIENCE = MINUTE
"""How long (ms) a step asks a service again that can't be asked."""
THE_END = "the end of the drill"

Confirm = Callable[[str, Callable[[], bool]], str | None]
"""Ask a person to confirm something: how it was confirmed, or None where it was not.

The second argument is called again and again meanwhile, and says whether there is any more waiting.
"""


@dataclass(frozen=True, slots=True)
class House:
    """What a drill needs beside its stage: checks, queries, people, and word to end."""

    checks: Callable[[Collection[str]], Sequence[Check | Unasked]]
    query: Callable[[DataConfig, Collection[str]], Sequence[Item]]
    perch: Perch
    askers: Sequence[Asker]
    confirm: Confirm
    aborted: Callable[[], bool]


class _OverError(Exception):
    """The drill can't go on."""

    def __init__(self, ending: Ending, why: str) -> None:
        super().__init__(why)
        self.ending = ending
        self.why = why


class _StepFailed(Exception):  # noqa: N818  # one step's outcome, not an error of ours
    """A step could not be taken; the drill goes on."""


class Play:
    """One run of a drill, from its first step to its last clear; ``perform`` may also go on with a run that crashed."""

    def __init__(self, drill: Drill, stage: Stage, house: House, chronicle: Chronicle, stop: Event) -> None:
        self._drill = drill
        self._stage = stage
        self._house = house
        self._chronicle = chronicle
        self._stop = stop
        self._clock: Clock = stage.clock
        self._sightings = Sightings(stage, chronicle, house.askers)
        self._raised: dict[str, Desired] = {}

    def steady(self, phase: str, names: Sequence[str]) -> bool:
        """Run the checks of ``before`` or ``after``; whether all of them passed."""
        return not names or self._check(phase, names).passed

    def perform(self) -> None:
        """Take every step that has not been taken, clear, verify, and check what must hold afterwards."""
        try:
            ending, why = self._steps()
        except _OverError as error:
            ending, why = error.ending, error.why
        except LeaseLostError as error:
            ending, why = Ending.FAILED, f"the lease on the stack was lost: {error}"
        except DeniedError as error:
            ending, why = Ending.FAILED, str(error.answer)
        self._finish(ending, why)

    def _finish(self, ending: Ending, why: str) -> None:
        skipped = tuple(
            step.model_copy(update={"state": StepState.SKIPPED, "outcome": why})
            if step.state in (StepState.WAITING, StepState.RUNNING)
            else step
            for step in self._chronicle.record.steps
        )
        self._chronicle.write(*([why] if why else []), ending=ending, why=why, steps=skipped)
        clear_all(self._stage, self._chronicle, THE_END if ending is Ending.COMPLETE else _cleared_by(ending), Event())
        if ending is Ending.COMPLETE and not self._stop.is_set():
            self.steady("after", self._drill.spec.checks_after)
        self._chronicle.write("the drill is over", ended_at=self._clock.now())

    def _steps(self) -> tuple[Ending, str]:
        record = self._chronicle.record
        assert record.started_at is not None
        started_at = record.started_at
        while True:
            record = self._chronicle.record
            ended = {step.name: step.ended_at - started_at for step in record.steps if step.ended_at is not None}
            due = next_due(self._drill.timeline, ended, record.held)
            if due is None:
                return Ending.COMPLETE, ""
            self._wait_until(started_at + due.offset)
            self._take(due, started_at)

    def _check_over(self) -> None:
        """Raise _OverError where the drill was told to end, or has to."""
        record = self._chronicle.record
        assert record.started_at is not None
        if self._stop.is_set():
            raise _OverError(Ending.INTERRUPTED, "interrupted")
        if self._house.aborted():
            raise _OverError(Ending.ABORTED, "aborted")
        if self._clock.now() >= record.started_at + record.max_duration:
            most = format_duration(record.max_duration)
            raise _OverError(Ending.OVERTIME, f"max_duration of {most} has passed")

    def _wait_until(self, instant: int) -> None:
        while True:
            self._check_over()
            left = (instant - self._clock.now()) / 1000
            if left <= 0:
                return
            pause = self._sightings.look()
            left = (instant - self._clock.now()) / 1000
            if left > 0:
                self._clock.wait(min(left, TICK, TICK if pause is None else max(pause, 0.01)), self._stop)

    def _take(self, due: Due, started_at: int) -> None:
        step = due.step
        now = self._clock.now()
        self._chronicle.step(step.name, state=StepState.RUNNING, due_at=started_at + due.offset, started_at=now)
        act = {
            Action.RAISE: self._raise,
            Action.CLEAR: self._clear,
            Action.RECORD: self._record,
            Action.CHECK: self._check_step,
            Action.PAUSE: self._pause,
            Action.NOTE: self._note,
        }[step.action]
        try:
            state, outcome = StepState.DONE, act(step)
        except _StepFailed as error:
            state, outcome = StepState.FAILED, str(error)
        self._chronicle.step(
            step.name, f"{step.name}: {outcome}", state=state, outcome=outcome, ended_at=self._clock.now()
        )

    def _raise(self, step: Step) -> str:
        record = self._chronicle.record
        assert record.started_at is not None
        left = max(0, record.started_at + record.max_duration - self._clock.now())
        observed = self._observed()
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
        plan = self._stage.plan(desired, observed, [one.address for one in desired])
        pushed = self._carry_out(step, plan)
        self._raised.update((str(change.address), change.desired) for change in pushed if change.desired is not None)
        already = sum(change.action is PlanAction.NO_OP for change in plan.changes)
        return ", ".join(
            words
            for number, words in ((len(pushed), f"raised {len(pushed)}"), (already, f"{already} fire already"))
            if number
        )

    def _record(self, step: Step) -> str:
        desired = [to_record(one.desired, self._chronicle.record.run, step.name) for one in self._drill.of(step)]
        plan = self._stage.plan(desired, self._observed(desired), [one.address for one in desired])
        pushed = self._carry_out(step, plan)
        return f"recorded {len(pushed)}" if pushed else "on record already"

    def _clear(self, step: Step) -> str:
        wanted = [one.desired._replace(firing=False) for one in self._drill.of(step)]
        addresses = [one.address for one in wanted]
        until = self._clock.now() + self._stage.visible_within + 10_000
        for pause in polling():
            plan = self._stage.plan(wanted, self._observed(), addresses)
            # What was pushed and does not show yet has no id that it could be cleared by.
            if not plan.problems or self._clock.now() >= until:
                break
            self._check_over()
            self._sightings.look()
            self._clock.wait(pause, self._stop)
        cleared = self._carry_out(step, plan)
        for address in addresses:
            self._raised.pop(str(address), None)
        missed = len(plan.changes) - len(plan.pending)
        if missed:
            account_for(self._stage, self._chronicle)
        return f"cleared {len(cleared)}" + (f", {missed} did not fire any more" if missed else "")

    def _check_step(self, step: Step) -> str:
        report = self._check(step.name, step.checks)
        bad = [result for result in report.results if result.verdict is not Verdict.PASSED]
        if any(result.verdict is Verdict.INTERRUPTED for result in bad):
            self._check_over()
        if bad:
            raise _StepFailed("; ".join(f"{result.name} {result.verdict}: {result.found.reason}" for result in bad))
        return "; ".join(f"{result.name} passed: {result.found.reason}" for result in report.results)

    def _pause(self, step: Step) -> str:
        began = self._clock.now()

        def attend() -> bool:
            self._sightings.look()
            try:
                self._check_over()
            except _OverError:
                return False
            return True

        how = self._house.confirm(step.text, attend)
        if how is None:
            self._check_over()
            raise _StepFailed("it was not confirmed")
        took = self._clock.now() - began
        self._chronicle.write(held=self._chronicle.record.held + took)
        return f"{how} after {rough_duration(took)}"

    def _note(self, step: Step) -> str:
        return step.text

    def _check(self, phase: str, names: Sequence[str]) -> Report:
        report = run_checks(
            self._drill.stack,
            self._house.checks(names),
            self._house.query,
            self._perch,
            Attentive(self._clock, self._sightings),
            self._stop,
            _Quiet(),
        )
        self._chronicle.checked(phase, report)
        return report

    def _perch(self) -> AbstractContextManager[Perch]:
        return nullcontext(self._house.perch)

    def _observed(self, desired: Sequence[Desired] = ()) -> list[Observed]:
        """What of the drill is there, asked again for a while where the service can't say."""
        until = self._clock.now() + PATIENCE
        for pause in polling():
            try:
                return self._stage.observe(desired)
            except ServiceError as error:
                if error.verdict is Meaning.DENIED:
                    raise _OverError(Ending.FAILED, str(error.answer)) from None
                if self._clock.now() >= until:
                    raise _StepFailed(f"the service can't be asked: {error.answer}") from None
            self._check_over()
            self._clock.wait(pause, self._stop)
        raise AssertionError("polling never ends")

    def _carry_out(self, step: Step, plan: Plan) -> list[Change]:
        """Apply the plan of a step: the changes that are done. What is not done is recorded, and ends the step."""
        if plan.problems:
            raise _StepFailed("; ".join(problem.summary for problem in plan.problems))
        if not plan.pending:
            return []
        now = self._clock.now()
        new = [self._sent(step, change, now) for change in plan.pending if change.action is not PlanAction.CLEAR]
        self._chronicle.send(*new)
        result = self._stage.apply(plan, self._stop)
        done = [change for change in plan.pending if result.status(change) is Status.DONE]
        self._account(step, plan, result, now)
        self._sightings.watch(
            [
                one
                for one in plan.operations
                if one.key in result.outcomes and result.outcomes[one.key].status is Status.DONE
            ]
        )
        self._sightings.look()
        if result.ending is ApplyEnding.DENIED:
            raise _OverError(Ending.FAILED, str(result.cause))
        undone = [outcome for outcome in result.outcomes.values() if outcome.status is not Status.DONE]
        if result.remaining:
            self._check_over()
            reason = f": {undone[0].error}" if undone and undone[0].error else ""
            raise _StepFailed(f"{len(result.remaining)} of {len(plan.pending)} not done{reason}")
        return done

    def _sent(self, step: Step, change: Change, now: int) -> Sent:
        desired = change.desired
        assert desired is not None
        resource = next(one for one in self._drill.resources if one.desired.address == change.address)
        timeout = desired.attributes.get(TIMEOUT)
        return Sent(
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
            if change.action is PlanAction.CLEAR and result.status(change) is Status.DONE
        }

        def change(sent: Sent) -> Sent:
            if sent.mark in cleared and sent.active:
                return sent.model_copy(update={"ended_at": at, "ended_by": f"step {step.name}"})
            outcomes = [result.outcomes[key] for key in sent.keys if key in result.outcomes]
            if outcomes and outcomes[0].status is not Status.DONE:
                failed = outcomes[0].status is Status.FAILED
                trouble = f"{outcomes[0].status}: {outcomes[0].error or 'no answer'}"
                return sent.model_copy(update={"trouble": trouble, "unsent": failed})
            return sent

        self._chronicle.update(change)


def _cleared_by(ending: Ending) -> str:
    return {
        Ending.INTERRUPTED: "the interrupt",
        Ending.ABORTED: "drill abort",
        Ending.OVERTIME: "the end of max_duration",
    }.get(ending, THE_END)


class _Quiet:
    """A watcher of checks: what they find goes into the record."""

    def started(self, name: str, about: str) -> None: ...

    def looked(self, name: str, reason: str) -> None: ...

    def ended(self, result: CheckResult) -> None: ...
