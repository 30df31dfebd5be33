"""The fence: a run that lost its lease or its ledger begins no further request, and says what it did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reconciler.apply.lease import LIFETIME
from reconciler.apply.result import ApplyStatus
from reconciler.apply.settle import journal_outcomes
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import SECOND
from reconciler.core.operation import Operation, Outcome, ServiceErrorDetail, Status
from reconciler.emulator.settings import Settings
from reconciler.ledger.protocol import Holder, Ledger, Run, RunState
from reconciler.plan.plan import Plan
from reconciler.providers.protocol import Provider
from tests.apply.harness import OWNER, Harness, start_harness
from tests.apply.late_answer import LateAnswer
from tests.emulator.handle import Emulator
from tests.plan.fake_service import alarm, event

Start = Callable[[Settings], Emulator]
FULL = DiagnosticError(Diagnostic("the ledger shop.db cannot be written: the disk is full"))


class Unlocking:
    """A provider during whose first request somebody breaks the lease."""

    def __init__(self, provider: Provider, it: Harness) -> None:
        self._provider, self._it, self._sent = provider, it, count()

    def __getattr__(self, name: str) -> object:
        return getattr(self._provider, name)

    def send(self, operations: Sequence[Operation]) -> object:
        if next(self._sent) == 0:
            with closing(self._it.ledger()) as ledger:
                ledger.unlock()
        return self._provider.send(operations)


class Failing:
    """A ledger that cannot be written any more at a call of one of its methods."""

    def __init__(self, ledger: Ledger, method: str, number: int) -> None:
        self._ledger, self._method, self._number, self._calls = ledger, method, number, count(1)

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)

    def begin_attempts(self, holder: Holder, keys: Iterable[str], now: int) -> None:
        self._fail("begin_attempts")
        self._ledger.begin_attempts(holder, keys, now)

    def record_outcomes(self, outcomes: Iterable[Outcome], now: int) -> None:
        self._fail("record_outcomes")
        self._ledger.record_outcomes(outcomes, now)

    def _fail(self, method: str) -> None:
        if method == self._method and next(self._calls) >= self._number:
            raise FULL


class LateRun(NamedTuple):
    """A run that lost its lease: its plan, and a function by which it journals its outcomes all the same."""

    plan: Plan
    journal: Callable[[], None]


class Died(BaseException):
    """Stands for the death of the process."""


class Dying:
    """A provider whose process dies once its request is answered."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def send(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        self._provider.send(operations)
        raise Died


@pytest.mark.parametrize("batch_size", [1, 4])
def test_nothing_is_sent_after_the_lease_was_broken(start_emulator: Start, tmp_path: Path, batch_size: int) -> None:
    it = start_harness(start_emulator, tmp_path, batch_size=batch_size)
    it.wrap_provider = lambda provider: Unlocking(provider, it)
    result = it.apply([*(alarm("a", str(number)) for number in range(8)), *(event(f"e{n}") for n in range(8))])
    assert it.pushes() == [batch_size]
    assert result.ending is ApplyStatus.LEASE_LOST
    assert len(result.remaining) == 16 - batch_size
    it.wrap_provider = lambda provider: provider
    again = it.apply([*(alarm("a", str(number)) for number in range(8)), *(event(f"e{n}") for n in range(8))])
    assert again.remaining == ()
    assert len(it.recorded()) == len(set(it.recorded())) == len(it.active()) == 8


def begin_unanswered(it: Harness, desired: Desired, ledger: Ledger, provider: Provider, *, sent: bool) -> LateRun:
    """A run that loses its lease in its request, which was sent or is answered with an error; it knows the answer."""
    plan = it.plan([desired], ledger, provider)
    operations = list(plan.operations)
    holder = ledger.acquire(OWNER.name, OWNER.host, OWNER.pid, it.clock.now(), LIFETIME)
    ledger.begin(holder, Run("r", plan.id, "apply", it.clock.now(), None, RunState.RUNNING, it.targets()))
    ledger.record_intents(holder, "r", operations, it.clock.now())
    ledger.begin_attempts(holder, [item.key for item in operations], it.clock.now())
    if sent:
        provider.send(operations)
    ledger.unlock()
    error = None if sent else ServiceErrorDetail("the request was rejected", 400)
    outcomes = [Outcome(item.key, Status.DONE if sent else Status.FAILED, error) for item in operations]
    return LateRun(plan, lambda: journal_outcomes(ledger, holder, outcomes, it.clock.now()))


def moments(start_emulator: Start, directory: Path, *, sent: bool) -> Iterator[tuple[int, Harness, Plan]]:
    """A harness for each call of its ledger before which the earlier run of a plan may journal its answer.

    Each has a ledger and a project of its own. They end with the first whose ledger has no such call.
    """
    slow = Settings(visible_after=2 * SECOND)
    shared = start_harness(start_emulator, directory, slow, visible_within="3s", request_timeout="1s")
    for call in count(1):
        it = replace(shared, path=directory / f"{call}.db", project=f"p{call}")
        with closing(it.ledger()) as ledger, closing(it.provider()) as provider:
            first = begin_unanswered(it, event(), ledger, provider, sent=sent)
            second = LateAnswer(ledger, call, first.journal)
            it.wrap_ledger = lambda _, second=second: second  # type: ignore[misc]
            yield call, it, first.plan
            assert ledger.open_intents() == []
        if not second.is_answered:
            return


@pytest.mark.parametrize("later", [0, SECOND], ids=["the same plan", "a plan of its own"])
def test_an_event_whose_answer_is_journalled_while_another_run_takes_over_is_recorded_once(
    start_emulator: Start, tmp_path: Path, later: int
) -> None:
    """The earlier run lost its lease while its request was answered, and journals that at any moment after."""
    for call, it, _ in moments(start_emulator, tmp_path, sent=True):
        it.clock.time += later
        assert it.apply([event()]).remaining == ()
        it.clock.time += 2 * SECOND
        assert it.recorded() == [("aom_event.released", "v1")], f"journalled before call {call}"
    assert call > 10


def test_a_failure_journalled_while_another_run_sends_the_event_again_does_not_close_its_attempt(
    start_emulator: Start, tmp_path: Path
) -> None:
    """The run that took over dies in its request: only its open attempt keeps the next run from recording it twice."""
    for call, it, plan in moments(start_emulator, tmp_path, sent=False):
        it.wrap_provider = Dying
        with pytest.raises(Died):
            it.apply([event()], plan=plan)
        it.wrap_ledger, it.wrap_provider = lambda ledger: ledger, lambda provider: provider
        assert it.apply([event()], plan=plan).remaining == ()
        it.clock.time += 2 * SECOND
        assert it.recorded() == [("aom_event.released", "v1")], f"journalled before call {call}"
    assert call > 10


def test_settling_does_not_call_lost_what_another_run_journals_as_done_meanwhile(
    start_emulator: Start, tmp_path: Path
) -> None:
    for call, it, _ in moments(start_emulator, tmp_path, sent=True):
        assert it.settle().lost == (), f"journalled before call {call}"
    assert call > 5


@pytest.mark.parametrize(("method", "number"), [("begin_attempts", 3), ("record_outcomes", 1)])
def test_a_ledger_that_fails_in_mid_run_stops_the_sending_with_a_result(
    start_emulator: Start, tmp_path: Path, method: str, number: int
) -> None:
    it = start_harness(start_emulator, tmp_path, batch_size=1)
    it.wrap_ledger = lambda ledger: Failing(ledger, method, number)
    desired = [alarm("a", f"{number:03}") for number in range(60)]
    result = it.apply(desired)
    assert result.ending is ApplyStatus.LEDGER_FAILED
    assert result.cause is not None
    assert "the disk is full" in result.cause.message
    assert result.may_have_sent
    done = [outcome for outcome in result.outcomes.values() if outcome.status is Status.DONE]
    assert len(done) == len(it.pushes()) == 60 - len(result.remaining) < 60
    it.wrap_ledger = lambda ledger: ledger
    assert it.apply(desired).remaining == ()
    assert len(it.active()) == 60


def test_an_event_recorded_at_one_target_is_not_on_record_at_another(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    with closing(it.ledger()) as ledger, closing(it.provider()) as provider:
        plan = it.plan([event()], ledger, provider)
        holder = ledger.acquire(OWNER.name, OWNER.host, OWNER.pid, it.clock.now(), 1000)
        run = Run("r", plan.id, "apply", it.clock.now(), None, RunState.RUNNING, {"aom": "aom staging demo"})
        ledger.begin(holder, run)
        ledger.record_intents(holder, "r", list(plan.operations), it.clock.now())
        ledger.record_outcomes([Outcome(item.key, Status.DONE) for item in plan.operations], it.clock.now())
        for target, recorded in (("staging", 1), ("production", 0)):
            view = ledger.view(it.clock.now(), 60_000, {"aom": f"aom {target} demo"})
            assert (len(view.recorded), len(view.recent)) == (recorded, recorded)
