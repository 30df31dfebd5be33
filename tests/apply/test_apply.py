from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import Event

import pytest

from reconciler.apply.options import BEGUN_AHEAD, JOURNAL_AHEAD, Options
from reconciler.apply.result import ApplyStatus
from reconciler.core.duration import MINUTE, SECOND
from reconciler.core.operation import Operation, Status
from reconciler.emulator.settings import Settings
from reconciler.ledger.protocol import Holder, LeaseLostError, Ledger
from reconciler.plan.plan import Plan
from reconciler.providers.protocol import Provider
from tests.apply.harness import Harness, start_harness
from tests.emulator.handle import Emulator
from tests.plan.fake_service import alarm, event

Start = Callable[[Settings], Emulator]
MODES = pytest.mark.parametrize("mode", ["merge", "duplicate"])


def _many(count: int) -> list[object]:
    return [alarm("a", f"{number:03}") for number in range(count)]


def test_what_is_declared_fires_after_one_apply_and_the_next_finds_nothing_to_do(
    start_emulator: Start, tmp_path: Path
) -> None:
    it = start_harness(start_emulator, tmp_path)
    result = it.apply([alarm("a"), alarm("b"), event()])
    assert result.ending is ApplyStatus.COMPLETE
    assert result.remaining == ()
    assert result.unconfirmed == frozenset()
    assert it.active() == ["aom_alarm.a", "aom_alarm.b"]
    assert it.recorded() == [("aom_event.released", "v1")]
    assert it.apply([alarm("a"), alarm("b"), event()]).plan.pending == ()


def test_requests_carry_the_payloads_of_the_plan_to_the_byte(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    result = it.apply([alarm("a"), event()])
    sent = [entry["body"] for entry in it.emulator.requests("push")]
    assert sent == ['{"events":[' + ",".join(operation.payload for operation in result.plan.operations) + "]}"]


def test_batches_are_bounded_in_items(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path, batch_size=10)
    it.apply(_many(25))
    assert it.pushes() == [10, 10, 5]


@MODES
def test_a_replace_clears_before_it_pushes(start_emulator: Start, tmp_path: Path, mode: str) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(on_repeat=mode))
    it.apply([alarm("a")])
    it.emulator.forget_requests()
    it.apply([alarm("a", severity="Critical")])
    writes = [each["operation"] for each in it.emulator.requests() if each["operation"] in ("push", "clear")]
    assert writes == ["clear", "push"]
    assert it.active() == ["aom_alarm.a"]


@MODES
def test_an_update_leaves_one_alarm_whether_or_not_the_service_merges(
    start_emulator: Start, tmp_path: Path, mode: str
) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(on_repeat=mode))
    it.apply([alarm("a")])
    result = it.apply([alarm("a", message="slower")])
    assert result.remaining == ()
    assert [item["annotations"]["message"] for item in it.emulator.active_alarms()] == ["slower"]
    assert it.apply([alarm("a", message="slower")]).plan.pending == ()


@MODES
def test_an_update_that_is_not_verified_leaves_one_alarm_too(start_emulator: Start, tmp_path: Path, mode: str) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(on_repeat=mode))
    it.apply([alarm("a"), alarm("b")])
    it.options = Options(verify=False)
    it.emulator.forget_requests()
    result = it.apply([alarm("a", message="slower"), alarm("b")])
    assert (result.remaining, result.unconfirmed, result.possible_duplicates) == ((), frozenset(), frozenset())
    assert it.active() == ["aom_alarm.a", "aom_alarm.b"]
    assert len(it.emulator.requests("clear")) == (mode == "duplicate")
    assert it.apply([alarm("a", message="slower"), alarm("b")]).plan.pending == ()


def test_without_a_repeated_push_nobody_looks_who_does_not_verify(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    it.options = Options(verify=False)
    it.apply([alarm("a")])
    last = it.emulator.requests()[-1]
    assert last["operation"] == "push"


@MODES
@pytest.mark.parametrize("verify", [True, False])
def test_what_may_fire_twice_is_named_and_the_same_plan_applied_again_ends_it(
    start_emulator: Start, tmp_path: Path, mode: str, verify: bool
) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(on_repeat=mode))
    it.apply([alarm("a")])
    it.options = Options(verify=verify, draw=lambda: 0.5)
    it.emulator.fault("push:hide=1m,nth=1")
    first = it.apply([alarm("a", message="slower")])
    [_, clear] = first.plan.operations
    assert (clear.only_if_duplicate, first.possible_duplicates) == (True, {clear.key})
    assert it.emulator.requests("clear") == []
    it.clock.time += 2 * MINUTE
    assert it.active() == ["aom_alarm.a"] * (1 if mode == "merge" else 2)
    it.emulator.forget_requests()
    again = it.apply([], plan=first.plan)
    assert (again.possible_duplicates, again.remaining) == (frozenset(), ())
    assert it.emulator.requests("push") == []
    assert [item["annotations"]["message"] for item in it.emulator.active_alarms()] == ["slower"]


def test_an_apply_of_the_same_plan_sends_nothing_the_second_time(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    plan = it.apply([alarm("a"), event()]).plan
    it.emulator.forget_requests()
    again = it.apply([], plan=plan)
    assert it.emulator.requests("push") == []
    assert again.remaining == ()


def test_an_interrupt_sends_nothing_new_and_the_next_apply_goes_on(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path, batch_size=2)
    stop = Event()

    class Stopping:
        def __init__(self, provider: Provider) -> None:
            self._provider = provider

        def __getattr__(self, name: str) -> object:
            return getattr(self._provider, name)

        def send(self, operations: Sequence[Operation]) -> object:
            ids = self._provider.send(operations)
            stop.set()
            return ids

    it.wrap_provider = Stopping
    result = it.apply(_many(6), stop=stop)
    assert result.ending is ApplyStatus.INTERRUPTED
    assert it.pushes() == [2]
    assert len(result.remaining) == 4
    it.wrap_provider = lambda provider: provider
    assert it.apply(_many(6)).remaining == ()
    assert it.pushes() == [2, 2, 2]


def test_the_deadline_of_a_run_ends_it_with_what_remains_named(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path, batch_size=1)
    it.options = Options(deadline=5 * SECOND, draw=lambda: 0.5)
    it.emulator.fault("push:status=429,retry_after=4,nth=2", "push:status=429,retry_after=4,nth=4")
    result = it.apply(_many(6))
    assert result.remaining
    assert len(it.active()) == 6 - len(result.remaining)


def test_what_the_service_does_not_show_in_time_is_named_unconfirmed(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(visible_after=20 * SECOND))
    result = it.apply([alarm("a")])
    (operation,) = result.plan.operations
    assert result.unconfirmed == {operation.key}
    assert result.remaining == ()


def test_within_its_window_a_hidden_push_is_not_repeated(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(visible_after=8 * SECOND))
    it.options = Options(verify=False)
    it.apply([alarm("a")])
    it.clock.time += 2 * SECOND
    assert it.apply([alarm("a")]).plan.pending == ()
    assert it.pushes() == [1]


def test_a_late_item_is_refused_before_anything_is_sent(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    with closing(it.provider()) as provider, closing(it.ledger()) as ledger:
        plan: Plan = it.plan([alarm("a", timeout="1m")], ledger, provider)
    it.clock.time += 2 * MINUTE
    (outcome,) = it.apply([], plan=plan).outcomes.values()
    assert outcome.status is Status.FAILED
    assert outcome.error is not None
    assert "window" in outcome.error.message
    assert it.pushes() == []


def test_a_foreign_alarm_with_the_same_name_is_never_touched(start_emulator: Start, tmp_path: Path) -> None:
    one = start_harness(start_emulator, tmp_path)
    two = Harness(one.emulator, one.clock, tmp_path / "other.db", stack="other", settings=one.settings)
    one.apply([alarm("a")])
    two.apply([alarm("a", message="theirs")])
    one.apply([])
    assert one.active() == []
    assert two.active() == ["aom_alarm.a"]
    assert json.loads(json.dumps(two.emulator.active_alarms()[0]["annotations"]))["message"] == "theirs"


def test_an_event_tried_again_says_the_time_of_its_first_attempt(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    it.emulator.fault("push:status=429,retry_after=1,first=6")
    first = it.apply([event()])
    assert len(first.remaining) == 1
    it.clock.time += 5 * MINUTE
    it.apply([event()])
    begun = {item["starts_at"] for body in it.emulator.bodies("push") for item in body["events"]}
    assert len(begun) == 1
    assert it.recorded() == [("aom_event.released", "v1")]


def test_what_an_earlier_run_pushed_unverified_is_waited_for_before_it_is_changed(
    start_emulator: Start, tmp_path: Path
) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(visible_after=4 * SECOND))
    it.options = Options(verify=False, draw=lambda: 0.5)
    it.apply([alarm("a")])
    it.options = Options(draw=lambda: 0.5)
    assert it.apply([alarm("a", severity="Critical")]).remaining == ()
    assert [item["metadata"]["event_severity"] for item in it.emulator.active_alarms()] == ["Critical"]


def test_what_is_under_way_when_the_lease_is_lost_is_still_journalled(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path, batch_size=1, parallelism=2)
    lost, under_way, turns = Event(), Event(), count(1)

    class Losing:
        def __init__(self, ledger: Ledger) -> None:
            self._ledger, self._calls = ledger, count(1)

        def __getattr__(self, name: str) -> object:
            return getattr(self._ledger, name)

        def record_intents(self, holder: Holder, run: str, operations: Sequence[Operation], now: int) -> None:
            if next(self._calls) > 1:
                assert under_way.wait(30)
                lost.set()
                raise LeaseLostError
            self._ledger.record_intents(holder, run, operations, now)

    class Slow:
        def __init__(self, provider: Provider) -> None:
            self._provider = provider

        def __getattr__(self, name: str) -> object:
            return getattr(self._provider, name)

        def send(self, operations: Sequence[Operation]) -> object:
            if next(turns) == 2:
                under_way.set()
                assert lost.wait(30)
            return self._provider.send(operations)

    it.wrap_ledger, it.wrap_provider = Losing, Slow
    result = it.apply(_many(JOURNAL_AHEAD + 5))
    sent = len(it.active())
    assert 2 <= sent <= JOURNAL_AHEAD, "what was being sent has arrived, nothing else was begun"
    assert [outcome.status for outcome in result.outcomes.values()] == [Status.DONE] * sent
    assert len(result.remaining) == JOURNAL_AHEAD + 5 - sent


def test_what_was_announced_to_a_shared_ledger_is_not_sent_once_the_run_is_stopped(
    start_emulator: Start, tmp_path: Path
) -> None:
    it = start_harness(start_emulator, tmp_path, batch_size=1, parallelism=2)
    announced, both_sending, turns, stop = Event(), Event(), count(1), Event()

    class Shared:
        is_shared = True

        def __init__(self, ledger: Ledger) -> None:
            self._ledger, self._begun = ledger, 0

        def __getattr__(self, name: str) -> object:
            return getattr(self._ledger, name)

        def begin_attempts(self, holder: Holder, keys: Iterable[str], now: int) -> None:
            begun = list(keys)
            self._ledger.begin_attempts(holder, begun, now)
            self._begun += len(begun)
            if self._begun > 2 + BEGUN_AHEAD:  # half of what may be begun ahead, or more
                announced.set()

    class Slow:
        def __init__(self, provider: Provider) -> None:
            self._provider = provider

        def __getattr__(self, name: str) -> object:
            return getattr(self._provider, name)

        def send(self, operations: Sequence[Operation]) -> object:
            turn = next(turns)
            assert turn <= 2, "no more requests at once than parallelism says"
            if turn == 2:
                both_sending.set()
            assert both_sending.wait(30)
            assert announced.wait(30)
            stop.set()
            return self._provider.send(operations)

    it.wrap_ledger, it.wrap_provider = Shared, Slow
    result = it.apply(_many(12), stop=stop)
    assert len(it.active()) == 2
    assert [outcome.status for outcome in result.outcomes.values()] == [Status.DONE] * 2
    with closing(it.ledger()) as ledger:
        assert ledger.open_intents() == []
    it.wrap_ledger = it.wrap_provider = lambda real: real
    assert it.apply(_many(12)).remaining == ()
    assert len(it.active()) == 12
