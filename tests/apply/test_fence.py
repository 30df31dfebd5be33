"""The fence: a run that lost its lease or its ledger begins no further request, and says what it did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from reconciler.apply.result import ApplyStatus
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import SECOND
from reconciler.core.operation import Operation, Outcome, Status
from reconciler.emulator.settings import Settings
from reconciler.ledger.protocol import Holder, Ledger, Run, RunState
from reconciler.providers.protocol import Provider
from tests.apply.harness import OWNER, Harness, start_harness
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


class LateAnswer:
    """A ledger in which an earlier run journals its outcome just before a call of the run that took over."""

    def __init__(self, ledger: Ledger, call: int, answer: Callable[[], None]) -> None:
        self._ledger, self._left, self._answer = ledger, call, answer

    def __getattr__(self, name: str) -> object:
        self._left -= 1
        if self._left == 0:
            self._answer()
        return getattr(self._ledger, name)

    @property
    def is_answered(self) -> bool:
        return self._left <= 0


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


@pytest.mark.parametrize("later", [0, SECOND], ids=["the same plan", "a plan of its own"])
def test_an_event_whose_answer_is_journalled_while_another_run_takes_over_is_recorded_once(
    start_emulator: Start, tmp_path: Path, later: int
) -> None:
    """The earlier run lost its lease while its request was answered, and journals that at any moment after."""
    for call in count(1):
        it = start_harness(start_emulator, tmp_path / str(call), Settings(visible_after=2 * SECOND))
        with closing(it.ledger()) as ledger, closing(it.provider()) as provider:
            operations = [*it.plan([event()], ledger, provider).operations]
            holder = ledger.acquire(OWNER.name, OWNER.host, OWNER.pid, it.clock.now(), 1000)
            ledger.begin(holder, Run("r", "p", "apply", it.clock.now(), None, RunState.RUNNING, it.targets()))
            ledger.record_intents(holder, "r", operations, it.clock.now())
            ledger.begin_attempts(holder, [item.key for item in operations], it.clock.now())
            provider.send(operations)
            ledger.unlock()
            it.clock.time += later
            answered = [Outcome(item.key, Status.DONE) for item in operations]
            second = LateAnswer(ledger, call, partial(ledger.record_outcomes, answered, it.clock.now()))
            it.wrap_ledger = lambda _, second=second: second  # type: ignore[misc]
            assert it.apply([event()]).remaining == ()
            it.clock.time += 2 * SECOND
            assert it.recorded() == [("aom_event.released", "v1")], f"journalled before call {call}"
            assert ledger.open_intents() == []
        if not second.is_answered:
            break
    assert call > 10


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
