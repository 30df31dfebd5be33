"""Playing a drill: in order, at its offsets, and never leaving anything behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from reconciler.config.stack import Inputs
from reconciler.core.diagnostic import DiagnosticError
from reconciler.drill.drill import GRACE
from reconciler.drill.record import DrillStatus, Record, StepState
from reconciler.drill.run import start
from reconciler.drill.store import RunStore
from reconciler.emulator.aom.notifications import NotificationRule
from reconciler.emulator.settings import Settings
from reconciler.session.planning import make_stack_plan
from reconciler.session.workspace import open_workspace
from tests.drill.harness import NOW, EmulatedClock, Harness, offsets, start_harness
from tests.emulator.handle import Emulator

Start = Callable[[Settings], Emulator]
MINUTE = 60_000


@pytest.fixture
def harness(start_emulator: Start, tmp_path: Path) -> Harness:
    return start_harness(start_emulator, tmp_path)


def test_a_drill_is_played_at_its_offsets_and_leaves_nothing_active(harness: Harness) -> None:
    harness.write()
    record = harness.start()
    assert record.ending is DrillStatus.COMPLETE
    assert offsets(record) == {
        "one": (0, 0),
        "two": (MINUTE, MINUTE),
        "told": (90_000, 90_000),
        "back": (2 * MINUTE, 2 * MINUTE),
        "last": (3 * MINUTE, 3 * MINUTE),
    }
    assert {sent.address: sent.ended_by for sent in record.emissions} == {
        "aom_alarm.slow": "step back",
        "aom_alarm.broken": "the end of the drill",
        "aom_event.failover": None,
    }
    assert (harness.active(), record.leftovers) == ([], ())


def test_what_the_last_step_cleared_is_confirmed_before_the_drill_is_over(
    start_emulator: Start, tmp_path: Path
) -> None:
    harness = start_harness(start_emulator, tmp_path, Settings(visible_after=2_000))
    steps = "    steps:\n      - {at: 0s, raise: aom_alarm.slow}\n      - {at: 1m, clear: aom_alarm.slow}\n"
    harness.write(steps=steps)
    (sent,) = (sent for sent in harness.start().emissions if sent.seen_at is not None)
    assert sent.ended_at is not None
    assert sent.gone_at is not None
    assert sent.gone_at >= sent.ended_at


def test_minutes_pass_without_anybody_waiting_for_them(harness: Harness) -> None:
    steps = "    steps:\n" + "".join(f"      - {{name: n{n}, at: {n}m, note: at {n}}}\n" for n in range(0, 11, 2))
    harness.write(name="long", head="    max_duration: 3h\n", steps=steps)
    record = harness.start("long")
    assert offsets(record) == {f"n{n}": (n * MINUTE, n * MINUTE) for n in range(0, 11, 2)}
    assert record.at(record.ended_at or 0) == 10 * MINUTE


def test_a_slow_service_delays_steps_and_the_record_shows_the_slip(harness: Harness) -> None:
    steps = """\
    steps:
      - {name: one, at: 0s, raise: aom_alarm.slow}
      - {name: two, at: 1s, raise: aom_alarm.broken}
      - {name: three, at: 2s, note: late}
      - {name: four, at: 5m, note: in time again}
"""
    harness.write(steps=steps, head="    max_duration: 2h\n")
    harness.emulator.fault("push:status=503,retry_after=20,first=1")
    record = harness.start()
    began = {name: began for name, (_, began) in offsets(record).items()}
    assert list(began) == ["one", "two", "three", "four"]
    assert 20_000 <= began["two"] <= began["three"] < MINUTE
    assert record.steps[1].slip == began["two"] - 1000
    assert began["four"] == 5 * MINUTE
    assert record.steps[3].slip == 0


@pytest.mark.parametrize("status", [429, 503])
def test_a_query_of_a_step_waits_as_long_as_a_busy_service_says(harness: Harness, status: int) -> None:
    steps = """\
    steps:
      - {name: one, at: 0s, raise: aom_alarm.slow}
      - {name: two, at: 1s, note: late}
"""
    harness.write(steps=steps, head="    max_duration: 2h\n")
    faults: list[object] = []

    def busy_from_the_first_step(record: Record) -> None:
        if record.started_at is not None and not faults:
            faults.append(harness.emulator.fault(f"query:status={status},retry_after=30,first=1"))

    record = harness.start(watcher=busy_from_the_first_step)
    assert [step.state for step in record.steps] == [StepState.DONE, StepState.DONE]
    assert offsets(record)["one"] == (0, 0)
    assert 30_000 <= offsets(record)["two"][1] < MINUTE
    assert (record.ending, len(harness.pushes())) == (DrillStatus.COMPLETE, 1)


def test_everything_says_that_it_is_a_drill_and_ends_by_itself(harness: Harness) -> None:
    harness.write(head="    max_duration: 10m\n    labels: {prefix: 'Drill: ', metadata: {season: spring}}\n")
    record = harness.start()
    raised = harness.pushes()
    assert len(raised) == 3
    for item in raised:
        assert item["metadata"]["drill"] == "outage"
        assert item["metadata"]["season"] == "spring"
        assert item["metadata"]["reconciler_stack"] == "shop/outage"
        assert "outage" in item["annotations"]["drill"]
        assert item["annotations"]["message"].startswith("Drill: ")
    timeouts = {item["metadata"]["resource_id"]: item["timeout"] for item in raised if "timeout" in item}
    assert timeouts == {"r1": 10 * MINUTE + GRACE, "r2": 5 * MINUTE}
    second = next(item for item in raised if item["metadata"]["resource_id"] == "r2")
    assert second["starts_at"] + second["timeout"] <= (record.started_at or 0) + 10 * MINUTE + GRACE


def test_the_stack_itself_neither_sees_nor_clears_the_alarms_of_a_drill(harness: Harness) -> None:
    file = harness.write()
    planned: list[int] = []

    def plan_meanwhile(record: Record) -> None:
        if record.steps[1].state is StepState.DONE and not planned:
            clock = EmulatedClock(harness.emulator.url)
            with open_workspace(file, Inputs(), clock=clock) as workspace:
                memory = workspace.read_ledger_view()
                kept, ended = make_stack_plan(workspace, memory), make_stack_plan(workspace, memory, destroy=True)
                planned.append(len(kept.pending) + len(ended.pending))

    harness.start(watcher=plan_meanwhile)
    assert planned == [0]


def test_a_check_of_before_that_fails_stops_the_drill_before_anything_is_sent(harness: Harness) -> None:
    harness.write(head="    before: never\n")
    record = harness.start()
    assert record.ending is DrillStatus.REFUSED
    assert "never did not pass before it" in record.why
    assert record.checks[0].reason.startswith("found 0, expected exactly 99")
    assert harness.pushes() == []


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (
            "    allowed: {windows: [{days: [sat], from: '09:00', to: '17:00', time_zone: Europe/Berlin}]}\n",
            "drill outage may run sat 09:00-17:00 Europe/Berlin, and it is 2027-01-15T08:00:00Z",
        ),
        (
            "    allowed: {severities: [Info, Minor]}\n",
            "aom_alarm.slow has severity Major, and drill outage allows Info, Minor",
        ),
        ("    allowed: {projects: [p2]}\n", "aom_alarm.slow is in project p1, and drill outage allows p2"),
    ],
)
def test_a_drill_that_is_not_allowed_does_not_start(harness: Harness, head: str, said: str) -> None:
    harness.write(head=head)
    with pytest.raises(DiagnosticError) as raised:
        harness.start()
    assert said in [one.summary for one in raised.value.diagnostics]
    assert harness.emulator.requests() == []


def test_the_guards_of_the_stack_hold_for_its_drills(harness: Harness) -> None:
    file = harness.write()
    file.write_text(file.read_text() + "guards: {max_changes: 2}\n")
    with pytest.raises(DiagnosticError, match=r"makes 3 changes, and guards.max_changes allows 2"):
        harness.start()
    assert harness.pushes() == []


def test_nothing_is_sent_without_the_name_typed_in(harness: Harness) -> None:
    harness.write()
    record = harness.start(approve=lambda _: False)
    assert (record.ending, record.why) == (DrillStatus.REFUSED, "did not start: its name was not typed in")
    assert harness.pushes() == []


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


def test_a_pause_holds_the_timeline_for_as_long_as_a_person_takes(harness: Harness) -> None:
    steps = """\
    steps:
      - {name: asked, at: 1m, pause: 'Go on?'}
      - {name: follows, after: asked, wait: 10s, note: right after}
      - {name: later, at: 2m, note: moved}
"""
    harness.write(steps=steps)

    def slowly(_: Record, question: str, __: Callable[[], bool]) -> str:
        assert question == "Go on?"
        harness.clock.pause(10 * MINUTE, harness.stop)
        return "confirmed by ann"

    record = harness.start(confirm=slowly)
    assert record.steps[0].outcome == "confirmed by ann after 10m"
    assert {name: began for name, (_, began) in offsets(record).items()} == {
        "asked": MINUTE,
        "follows": 11 * MINUTE + 10_000,
        "later": 12 * MINUTE,
    }
    assert [step.slip for step in record.steps] == [0, 0, 0]


def test_a_check_that_fails_is_told_and_the_drill_goes_on(harness: Harness) -> None:
    steps = """\
    steps:
      - {name: one, at: 0s, raise: aom_alarm.slow}
      - {name: seen, at: 1m, check: [slow_fires, never]}
      - {name: last, at: 2m, note: goes on}
"""
    harness.write(steps=steps)
    record = harness.start()
    assert record.ending is DrillStatus.COMPLETE
    assert [(check.name, check.phase, check.status) for check in record.checks] == [
        ("slow_fires", "seen", "passed"),
        ("never", "seen", "failed"),
    ]
    assert record.checks[1].items[0]["event_name"] == "slow"
    assert [step.state for step in record.steps] == [StepState.DONE, StepState.FAILED, StepState.DONE]
    assert harness.active() == []


def test_the_checks_of_after_see_what_is_left_when_all_is_cleared(harness: Harness) -> None:
    harness.write(head="    before: calm\n    after: [calm]\n")
    assert [(check.phase, check.status) for check in harness.start().checks] == [
        ("before", "passed"),
        ("after", "passed"),
    ]


def test_latencies_are_measured_from_the_push_until_it_shows_and_somebody_is_told(
    start_emulator: Start, tmp_path: Path
) -> None:
    rule = NotificationRule("pager", after=7000, match={"resource_id": ("r1",)})
    harness = start_harness(start_emulator, tmp_path, Settings(visible_after=2000, notifications=(rule,)))
    harness.write()
    record = harness.start()
    slow, broken = record.alarms
    assert slow.visible_after is not None
    assert 2000 <= slow.visible_after < 3500
    assert slow.notified_after == 7000
    assert slow.notified is not None
    assert slow.notified.startswith("pager")
    assert (broken.notified_after, broken.gone_at is not None) == (None, True)


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


def test_raising_what_fires_already_changes_nothing(harness: Harness) -> None:
    steps = """\
    steps:
      - {name: one, at: 0s, raise: aom_alarm.slow}
      - {name: again, at: 1m, raise: aom_alarm.slow}
"""
    harness.write(steps=steps)
    record = harness.start()
    assert record.steps[1].outcome == "1 already active"
    assert len(harness.pushes()) == 1


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

    class Killed(BaseException):
        """Stands for the death of the process."""

    def die(record: Record) -> None:
        if record.steps[1].state is StepState.DONE:
            raise Killed

    with pytest.raises(Killed):
        harness.start(watcher=die)
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

    class Killed(BaseException):
        """Stands for the death of the process."""

    def die(record: Record) -> None:
        if record.steps[1].state is StepState.DONE:
            raise Killed

    with pytest.raises(Killed):
        harness.start(watcher=die)
    harness.clock.pause(20_000, harness.stop)
    record = harness.resume() if command == "resume" else harness.abort()
    [death] = record.deaths
    assert (death.who, record.at(death.last_at) >= MINUTE) == ("tester", True)
    assert death.found_at - death.last_at >= 20_000
    assert (record.leftovers, harness.active()) == ((), [])


@pytest.mark.parametrize("command", ["resume", "abort"])
def test_a_run_is_neither_resumed_nor_aborted_at_another_target(harness: Harness, command: str) -> None:
    file = harness.write()

    class Killed(BaseException):
        """Stands for the death of the process."""

    def die(record: Record) -> None:
        if record.steps[1].state is StepState.DONE:
            raise Killed

    with pytest.raises(Killed):
        harness.start(watcher=die)
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


def test_a_wall_clock_that_steps_back_does_not_hold_the_timeline(harness: Harness) -> None:
    harness.write()
    clock = SteppingClock(harness.clock)

    def step_back(record: Record) -> None:
        if record.steps[0].state is StepState.DONE:
            clock.step = -2 * 60 * MINUTE

    with open_workspace(harness.directory, Inputs(), clock=clock, data=False) as workspace:
        record = start(workspace, harness.read(workspace), harness.run_store, harness.hands(watcher=step_back))
    assert (record.ending, harness.active()) == (DrillStatus.COMPLETE, [])
    assert clock.monotonic() < NOW + 10 * MINUTE


class SteppingClock:
    """A clock whose wall time can be set while it runs."""

    def __init__(self, clock: EmulatedClock) -> None:
        self._clock = clock
        self.step = 0

    def now(self) -> int:
        return self._clock.now() + self.step

    def monotonic(self) -> int:
        return self._clock.monotonic()

    def pause(self, milliseconds: int, stop: Event) -> bool:
        return self._clock.pause(milliseconds, stop)
