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
    assert "never did not pass" in record.why
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
    assert (record.ending, record.why) == (DrillStatus.REFUSED, "did not start: its name was not typed")
    assert harness.pushes() == []


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


def test_a_wall_clock_that_steps_back_does_not_hold_the_timeline(harness: Harness) -> None:
    harness.write()
    clock = SteppingClock(harness.clock)

    def step_back(record: Record) -> None:
        if record.steps[0].state is StepState.DONE:
            clock.step = -2 * 60 * MINUTE

    with open_workspace(harness.directory, Inputs(), clock=clock, data=False) as workspace:
        record = start(workspace, harness.read(workspace), harness.run_store, harness.hooks(watcher=step_back))
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
