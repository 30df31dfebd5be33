"""Services that refuse, fail, answer ambiguously or are busy: nothing is done twice, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from math import ceil, log2
from pathlib import Path

import pytest

from reconciler.apply.result import ApplyStatus
from reconciler.core.duration import MINUTE, SECOND
from reconciler.core.operation import Operation, Status
from reconciler.emulator.settings import Settings
from reconciler.ledger.protocol import RunState
from reconciler.providers.protocol import Provider
from tests.apply.harness import start_harness
from tests.emulator.handle import Emulator
from tests.plan.fake_service import alarm, event

Start = Callable[[Settings], Emulator]


MODES = pytest.mark.parametrize("mode", ["merge", "duplicate"])


def _many(count: int) -> list[object]:
    return [alarm("a", f"{number:03}") for number in range(count)]


@MODES
@pytest.mark.parametrize("fault", ["push:store-then-500,nth=1", "push:store-then-cut,nth=1", "push:cut,nth=1"])
@pytest.mark.parametrize("hide", [0, 3 * SECOND])
def test_an_ambiguous_answer_doubles_nothing_and_loses_nothing(
    start_emulator: Start, tmp_path: Path, mode: str, fault: str, hide: int
) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(on_repeat=mode, visible_after=hide))
    it.emulator.fault(fault)
    result = it.apply([alarm("a"), alarm("b"), event()])
    assert result.remaining == ()
    it.clock.time += MINUTE
    assert it.active() == ["aom_alarm.a", "aom_alarm.b"]
    assert it.recorded() == [("aom_event.released", "v1")]
    assert it.pushes() == ([3, 3] if fault.startswith("push:cut") else [3])


@pytest.mark.parametrize("fault", ["clear:store-then-500,nth=1", "clear:cut,nth=1"])
def test_an_ambiguous_clear_is_settled_too(start_emulator: Start, tmp_path: Path, fault: str) -> None:
    it = start_harness(start_emulator, tmp_path)
    it.apply([alarm("a"), alarm("b")])
    it.emulator.fault(fault)
    assert it.apply([]).remaining == ()
    assert it.active() == []


class _Marring:
    """A provider whose wire damages certain items, as a bug of the service's own reading would."""

    def __init__(self, provider: Provider, bad: Sequence[str]) -> None:
        self._provider, self._bad = provider, bad

    def __getattr__(self, name: str) -> object:
        return getattr(self._provider, name)

    def send(self, operations: Sequence[Operation]) -> object:
        return self._provider.send(
            [
                item._replace(payload=item.payload.replace("resource_type", "resource_tipe"))
                if item.address.key in self._bad
                else item
                for item in operations
            ]
        )


@MODES
@pytest.mark.parametrize("on_bad", ["reject-batch", "reject-event"])
@pytest.mark.parametrize("bad", [["007"], ["003", "060"]])
def test_a_refused_batch_is_narrowed_until_the_bad_event_stands_alone(
    start_emulator: Start, tmp_path: Path, mode: str, on_bad: str, bad: list[str]
) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(on_repeat=mode, on_bad_event=on_bad))
    it.wrap_provider = lambda provider: _Marring(provider, bad)
    result = it.apply(_many(64))
    failed = [outcome for outcome in result.outcomes.values() if outcome.status is Status.FAILED]
    assert [change.address.key for change in result.remaining] == bad
    assert all(outcome.error is not None and outcome.error.code == "AOM.0400" for outcome in failed)
    assert len(it.active()) == len(set(it.active())) == 64 - len(bad)
    assert len(it.pushes()) - 1 <= len(bad) * 2 * ceil(log2(64))


def test_events_beside_a_bad_one_are_recorded_once_although_the_service_is_slow_to_show_them(
    start_emulator: Start, tmp_path: Path
) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(on_bad_event="reject-event", visible_after=3 * SECOND))
    it.wrap_provider = lambda provider: _Marring(provider, ["bad"])
    result = it.apply([alarm("a", "bad"), *(event(f"e{number}") for number in range(5))])
    it.clock.time += MINUTE
    assert len(result.remaining) == 1
    assert len(it.recorded()) == len(set(it.recorded())) == 5


def test_a_busy_service_is_waited_for_as_it_asks(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    it.emulator.fault("push:status=429,retry_after=7,nth=1")
    before = it.clock.now()
    assert it.apply([alarm("a")]).remaining == ()
    assert it.clock.now() - before >= 7 * SECOND
    assert any("retrying in 7s" in note for note in it.watcher.notes)


def test_a_service_that_stays_busy_ends_as_failed_with_its_answer(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    it.emulator.fault("push:status=503")
    result = it.apply([alarm("a")])
    (outcome,) = result.outcomes.values()
    assert outcome.status is Status.FAILED
    assert outcome.error is not None
    assert outcome.error.status == 503


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_caller_ends_the_run_at_once(start_emulator: Start, tmp_path: Path, status: int) -> None:
    it = start_harness(start_emulator, tmp_path, batch_size=1)
    it.emulator.fault(f"push:status={status}")
    result = it.apply(_many(5))
    assert result.ending is ApplyStatus.DENIED
    assert it.pushes() == [1]
    assert len(result.remaining) == 5
    with closing(it.ledger()) as ledger:
        assert ledger.open_intents() == []
        assert ledger.runs()[0].state is RunState.PARTIAL
    it.emulator.clear_faults()
    assert it.apply(_many(5)).remaining == ()


def test_an_unreachable_service_fails_without_a_doubt(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    with closing(it.provider()) as provider, closing(it.ledger()) as ledger:
        plan = it.plan([alarm("a")], ledger, provider)
    it.settings = {"endpoint": "http://127.0.0.1:9"}
    (outcome,) = it.apply([], plan=plan).outcomes.values()
    assert outcome.status is Status.FAILED
