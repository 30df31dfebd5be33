"""How a drill ends: interrupted, aborted, over time or taken over, and never with anything left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.core.diagnostic import DiagnosticError
from reconciler.drill.drill import GRACE
from reconciler.drill.record import DrillStatus, Record, StepState
from reconciler.drill.store import RunStore
from reconciler.emulator.settings import Settings
from tests.drill.harness import NOW, Harness, Killed, killed_after, start_harness
from tests.emulator.handle import Emulator

Start = Callable[[Settings], Emulator]


MINUTE = 60_000


@pytest.fixture
def harness(start_emulator: Start, tmp_path: Path) -> Harness:
    return start_harness(start_emulator, tmp_path)


def test_an_interrupt_while_it_is_checked_whether_it_may_start_sends_nothing(harness: Harness) -> None:
    harness.write(head="    before: calm\n")
    harness.stop.set()
    record = harness.start()
    assert (record.ending, record.why) == (DrillStatus.INTERRUPTED, "interrupted before anything was sent")
    assert harness.pushes() == []


def test_an_interrupt_clears_what_was_raised(harness: Harness) -> None:
    harness.write()

    def stop_after_the_second_step(record: Record) -> None:
        if record.steps[1].state is StepState.DONE:
            harness.stop.set()

    record = harness.start(watcher=stop_after_the_second_step)
    assert record.ending is DrillStatus.INTERRUPTED
    assert {sent.ended_by for sent in record.alarms} == {"the interrupt"}
    assert [step.state for step in record.steps[2:]] == [StepState.SKIPPED] * 3
    assert harness.active() == []


def test_a_living_run_ends_when_it_is_told_to(harness: Harness) -> None:
    harness.write()

    def request_abort_at_once(record: Record) -> None:
        if record.steps[0].state is StepState.DONE:
            harness.run_store.request_abort(record.run)

    record = harness.start(watcher=request_abort_at_once)
    assert (record.ending, harness.active()) == (DrillStatus.ABORTED, [])


def test_a_drill_is_over_when_max_duration_has_passed(harness: Harness) -> None:
    steps = """\
    steps:
      - {name: one, at: 0s, raise: aom_alarm.slow}
      - {name: asked, at: 1m, pause: 'Go on?'}
      - {name: two, at: 2m, raise: aom_alarm.broken}
"""
    harness.write(head="    max_duration: 5m\n", steps=steps)
    record = harness.start(confirm=_waiting(harness))
    assert record.ending is DrillStatus.OVERTIME
    assert harness.active() == []
    assert all(sent.until is not None and sent.until <= NOW + 5 * MINUTE + GRACE + 100 for sent in record.alarms)


def _waiting(harness: Harness) -> Callable[[str, Callable[[], bool]], str | None]:
    """Nobody confirms, and time passes."""

    def confirm(_: Record, __: str, attend: Callable[[], bool]) -> str | None:
        while attend():
            harness.clock.pause(30_000, harness.stop)
        return None

    return confirm


def test_what_ended_an_alarm_before_the_drill_did_is_told(harness: Harness) -> None:
    steps = """\
    steps:
      - {name: one, at: 0s, raise: [aom_alarm.slow, aom_alarm.broken]}
      - {name: last, at: 10m, note: The end}
"""
    harness.write(steps=steps)

    def somebody(record: Record) -> None:
        if record.steps[0].state is StepState.DONE and "slow" in str(harness.active()) and not cleared:
            [alarm] = [one for one in harness.emulator.active_alarms() if one["metadata"]["resource_id"] == "r1"]
            cleared.append(alarm["id"])
            item = {key: alarm[key] for key in ("id", "metadata", "starts_at")} | {"ends_at": harness.clock.now()}
            answer = harness.emulator.session.put(
                f"{harness.emulator.url}/v2/p1/push/events?action=clear",
                json={"events": [item]},
                headers={"X-Auth-Token": "t"},
            )
            assert answer.status_code == 204

    cleared: list[str] = []
    record = harness.start(watcher=somebody)
    assert {sent.address: sent.ended_by for sent in record.alarms} == {
        "aom_alarm.slow": "somebody else",
        "aom_alarm.broken": "the service, its timeout having passed",
    }
    assert record.leftovers == ()


def test_a_refused_push_is_told_and_nothing_is_left(harness: Harness) -> None:
    harness.write()
    harness.emulator.fault("push:status=400,first=1")
    record = harness.start()
    assert record.steps[0].state is StepState.FAILED
    assert "400" in record.steps[0].outcome
    assert record.alarms[0].unsent
    assert (record.ending, record.leftovers, harness.active()) == (DrillStatus.COMPLETE, (), [])


def test_a_service_that_does_not_let_us_in_ends_the_drill_and_what_may_be_left_is_named(harness: Harness) -> None:
    harness.write()

    def shut(record: Record) -> None:
        if record.steps[0].state is StepState.DONE and not shut_out:
            shut_out.extend(harness.emulator.fault("push:status=403", "clear:status=403", "query:status=403"))

    shut_out: list[int] = []
    record = harness.start(watcher=shut)
    assert record.ending is DrillStatus.FAILED
    [left] = record.leftovers
    assert left.startswith("aom_alarm.slow (aom_alarm.outage--slow): 403")
    assert "the service ends it by" in left
    assert harness.active() == ["aom_alarm.outage--slow"]


def test_an_alarm_is_cleared_once_the_network_is_back(harness: Harness) -> None:
    harness.write()

    def cut(record: Record) -> None:
        if record.ending is DrillStatus.COMPLETE and not cut_off:
            cut_off.extend(harness.emulator.fault("query:status=503,retry_after=1,first=20"))

    cut_off: list[int] = []
    record = harness.start(watcher=cut)
    assert cut_off
    assert (record.leftovers, harness.active()) == ((), [])


def test_a_drill_does_not_start_over_what_an_earlier_run_left(harness: Harness) -> None:
    harness.write()
    with pytest.raises(Killed):
        harness.start(watcher=killed_after(1))
    with pytest.raises(DiagnosticError, match="is not finished"):
        harness.start()
    assert len(harness.active()) == 2
    elsewhere = RunStore(harness.directory / "elsewhere")
    record = harness.abort(run_store=elsewhere)
    assert {sent.ended_by for sent in record.alarms} == {"drill abort"}
    assert {sent.address for sent in record.alarms} == {"aom_alarm.slow", "aom_alarm.broken"}
    assert (record.ending, harness.active()) == (DrillStatus.ABORTED, [])


@pytest.mark.parametrize("command", ["resume", "abort"])
def test_the_record_of_a_run_that_is_taken_over_tells_when_its_process_died(harness: Harness, command: str) -> None:
    harness.write()
    with pytest.raises(Killed):
        harness.start(watcher=killed_after(1))
    harness.clock.pause(20_000, harness.stop)
    record = harness.resume() if command == "resume" else harness.abort()
    [death] = record.deaths
    assert (death.who, record.at(death.last_at) >= MINUTE) == ("tester", True)
    assert death.found_at - death.last_at >= 20_000
    assert (record.leftovers, harness.active()) == ((), [])


@pytest.mark.parametrize("command", ["resume", "abort"])
def test_a_run_is_neither_resumed_nor_aborted_at_another_target(harness: Harness, command: str) -> None:
    file = harness.write()
    with pytest.raises(Killed):
        harness.start(watcher=killed_after(1))
    before = harness.run_store.unfinished()
    file.write_text(file.read_text().replace("project_id: p1", "project_id: p2"))
    requests = len(harness.emulator.requests())
    with pytest.raises(DiagnosticError, match=r"project p1, but provider aom now points at .*project p2"):
        harness.resume() if command == "resume" else harness.abort()
    assert (harness.run_store.unfinished(), len(harness.emulator.requests())) == (before, requests)
    file.write_text(file.read_text().replace("project_id: p2", "project_id: p1"))
    assert (harness.abort().leftovers, harness.active()) == ((), [])


def test_a_pause_that_is_not_confirmed_aborts_and_clears(harness: Harness) -> None:
    steps = """\
    steps:
      - {name: one, at: 0s, raise: aom_alarm.slow}
      - {name: asked, at: 1m, pause: 'Continue?'}
      - {name: two, at: 2m, raise: aom_alarm.broken}
"""
    harness.write(steps=steps)
    record = harness.start(confirm=lambda *_: None)
    assert (record.ending, record.why) == (DrillStatus.ABORTED, "pause asked was not confirmed")
    assert ([sent.address for sent in record.alarms], harness.active()) == (["aom_alarm.slow"], [])


def test_an_abort_that_finds_nothing_leaves_no_record(harness: Harness) -> None:
    harness.write()
    assert harness.abort().emissions == ()
    assert harness.run_store.runs() == []
