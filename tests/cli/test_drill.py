"""``reconciler drill``: every command, its exit codes, and what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reconciler.core.target import Target
from reconciler.emulator.settings import Settings
from tests.cli.run_cli import reconciler
from tests.drill.harness import RESOURCES, STACK
from tests.emulator.handle import Emulator

STEPS = """\
    steps:
      - {name: one, at: 0s, raise: [aom_alarm.slow, aom_alarm.broken]}
      - {name: asked, after: one, pause: 'Go on?'}
      - {name: told, after: asked, record: aom_event.failover}
      - {name: last, after: told, check: slow_fires}
"""


@pytest.fixture
def emulator(start_emulator: Callable[[Settings], Emulator]) -> Emulator:
    return start_emulator(Settings())


@pytest.fixture
def stack(tmp_path: Path, emulator: Emulator) -> Path:
    return write(tmp_path, emulator)


def write(directory: Path, emulator: Emulator, head: str = "", steps: str = STEPS) -> Path:
    stack = STACK.format(url=emulator.url).replace("visible_within: 10s", "visible_within: 1s")  # these wait for real
    (directory / "stack.yaml").write_text(stack + f"  outage:\n{head}{RESOURCES}{steps}")
    return directory


def test_a_rehearsal_asks_nobody_and_touches_no_service(stack: Path, emulator: Emulator) -> None:
    done = reconciler("drill", "run", "outage", stack, "--rehearse", "--speed", "100")
    assert done.code == 0, done.err
    assert "The drill is complete: 2 alarms raised, all cleared, 1 event recorded, 1 check passed." in done.out
    assert emulator.requests() == []


def test_a_drill_starts_when_its_name_is_typed_and_its_pauses_are_confirmed(stack: Path, emulator: Emulator) -> None:
    done = reconciler("drill", "run", "outage", stack, answers="outage\n\nsure\nYES\n")
    assert done.code == 0, done.err
    assert "This raises 2 alarms for real" in done.err
    assert "Drill outage at aom http://127.0.0.1:" in done.err
    assert "confirmed by " in done.out
    assert emulator.active_alarms() == []
    assert len(emulator.bodies("push")) == 2


@pytest.mark.parametrize("answer", ["n\n", "no\n", "maybe\nNo\n", ""])
def test_a_pause_that_is_not_confirmed_clears_and_ends_the_drill(stack: Path, emulator: Emulator, answer: str) -> None:
    done = reconciler("drill", "run", "outage", stack, answers=f"outage\n{answer}")
    assert done.code == 130
    assert "clearing everything, then the drill ends" in done.err
    assert "confirmed by " not in done.out
    assert emulator.active_alarms() == []


def test_another_name_starts_nothing(stack: Path, emulator: Emulator) -> None:
    done = reconciler("drill", "run", "outage", stack, answers="yes\n")
    assert done.code == 1
    assert "The drill did not start: its name was not typed. Nothing was sent." in done.out
    assert emulator.requests("push") == []


def test_nobody_there_to_type_is_an_error_that_names_the_option(stack: Path) -> None:
    done = reconciler("drill", "run", "outage", stack)
    assert done.code == 1
    assert "--yes" in done.err


def test_a_service_that_can_not_be_asked_is_named_with_its_provider(stack: Path, emulator: Emulator) -> None:
    emulator.fault("query:status=403")
    done = reconciler("drill", "run", "outage", stack, "--yes")
    assert done.code == 1
    assert "provider: aom\n" in done.err
    assert "hint: check the credentials" in done.err
    assert emulator.requests("push") == []


def test_a_check_that_fails_before_it_is_exit_code_3_and_nothing_is_sent(tmp_path: Path, emulator: Emulator) -> None:
    done = reconciler("drill", "run", "outage", write(tmp_path, emulator, "    before: never\n"), "--yes")
    assert done.code == 3
    assert "did not start: never did not pass. Nothing was sent." in done.out
    assert emulator.requests("push") == []


def test_an_alarm_that_may_be_left_is_named_and_exit_code_4(tmp_path: Path, emulator: Emulator) -> None:
    emulator.fault("clear:status=403")
    values = tmp_path / "some values.yml"
    values.write_text("{}\n")
    done = reconciler("drill", "run", "outage", write(tmp_path, emulator), "--yes", "--var-file", values)
    assert done.code == 4
    assert "Not cleared, or not known to be:" in done.out
    assert "aom_alarm.slow (aom_alarm.outage--slow): 403" in done.out
    assert f"\nTo clear what is left: reconciler drill abort outage {tmp_path} --var-file '{values}'\n" in done.out
    _, run, *_ = done.out.split()
    report = reconciler("drill", "report", run, tmp_path, "--format", "markdown").out
    assert f"\nTo clear what is left: `reconciler drill abort outage {tmp_path}`\n" in report
    emulator.clear_faults()
    again = reconciler("drill", "run", "outage", tmp_path, "--yes", "--var-file", values)
    assert again.code == 1
    assert f"`reconciler drill abort outage {tmp_path} --var-file '{values}'` clears" in " ".join(again.err.split())
    status = reconciler("drill", "status", tmp_path)
    assert "2 alarms of drill outage active now:" in status.out
    aborted = reconciler("drill", "abort", "outage", tmp_path)
    assert aborted.code == 0, aborted.err
    assert emulator.active_alarms() == []
    assert "No alarm of a drill is active." in reconciler("drill", "status", tmp_path).out


def test_abort_says_so_where_there_is_nothing_to_abort(stack: Path, emulator: Emulator) -> None:
    aborted = reconciler("drill", "abort", "outage", stack)
    assert aborted.code == 0, aborted.err
    assert "Nothing to abort: drill outage has no unfinished run and no active alarm." in aborted.out
    assert not list((stack / ".reconciler").glob("drills/*"))
    assert emulator.requests("push") == emulator.requests("clear") == []


def test_the_plan_shows_the_timeline_and_every_payload_and_sends_nothing(stack: Path, emulator: Emulator) -> None:
    done = reconciler("drill", "plan", "outage", stack, "--format", "json")
    assert done.code == 0
    shown = json.loads(done.out)
    assert [step["name"] for step in shown["steps"]] == ["one", "asked", "told", "last"]
    assert shown["targets"]["aom"].startswith(f"aom {emulator.url}")
    metadata = shown["steps"][0]["items"][0]["payload"]["metadata"]
    assert (metadata["drill"], metadata["reconciler_stack"]) == ("outage", "shop/outage")
    assert emulator.requests() == []


def test_the_plan_of_a_drill_that_may_not_start_says_why(tmp_path: Path, emulator: Emulator) -> None:
    done = reconciler("drill", "plan", "outage", write(tmp_path, emulator, "    allowed: {projects: []}\n"))
    assert done.code == 1
    assert "At aom http://127.0.0.1:" in done.out
    assert "It would not start now:" in done.out


def test_reports_are_made_from_the_record_alone(stack: Path, tmp_path: Path) -> None:
    assert reconciler("drill", "run", "outage", stack, "--rehearse", "--speed", "100").code == 0
    (stack / "stack.yaml").unlink()
    page, cases = tmp_path / "out" / "report.html", tmp_path / "out" / "report.xml"
    run = json.loads(reconciler("drill", "report", "2", stack, "--format", "json").out)["run"]
    done = reconciler("drill", "report", run[:15], stack, "--html", page, "--junit", cases, "--format", "markdown")
    assert done.code == 0, done.err
    assert done.out.startswith("## Rehearsal of `outage`")
    assert page.read_text().startswith("<!doctype html>")
    assert ElementTree.parse(cases).getroot().get("failures") == "0"  # noqa: S314 - XML of ours


def test_the_list_tells_each_drill_and_its_last_run(stack: Path) -> None:
    assert "outage  0s, 4 steps, 3 resources" in reconciler("drill", "list", stack).out
    reconciler("drill", "run", "outage", stack, "--rehearse", "--speed", "100")
    assert "The drill is complete" in reconciler("drill", "list", stack).out


def test_there_is_nothing_to_resume_where_no_run_died(stack: Path) -> None:
    done = reconciler("drill", "resume", "outage", stack)
    assert done.code == 1
    assert "no unfinished run of drill outage to resume" in done.err


def test_a_name_that_is_nearly_right_is_put_right(stack: Path) -> None:
    for command in ("run", "plan", "resume", "abort"):
        extra = ["--yes"] if command == "run" else []
        done = reconciler("drill", command, "outag", stack, *extra)
        assert (done.code, 'did you mean "outage"?' in done.err) == (1, True)


def test_validate_reads_drills_and_tells_all_that_is_wrong_with_its_place(tmp_path: Path, emulator: Emulator) -> None:
    steps = """\
    steps:
      - {name: one, at: 0s, raise: aom_alarm.slov}
      - {name: two, after: on, raise: aom_event.failover}
      - {at: 1m, check: clam}
      - {at: 2m, note: a, pause: b}
"""
    done = reconciler("validate", write(tmp_path, emulator, "    before: cal\n", steps=steps))
    assert done.code == 1
    assert "a step does one thing of raise, clear, record, check, pause, note, not 2" in done.err
    steps = steps.replace(", pause: b", "")
    done = reconciler("validate", write(tmp_path, emulator, "    before: cal\n", steps=steps))
    for said in (
        'there is no check "cal"',
        "the drill has no resource aom_alarm.slov",
        'did you mean "aom_alarm.slow"?',
        "aom_event.failover is an event: it is recorded, not raised",
        'there is no check "clam"',
        'there is no step "on" to come after',
    ):
        assert said in done.err
    assert "stack.yaml:22:36" in done.err


def test_a_rehearsal_never_takes_the_place_of_a_real_run(stack: Path) -> None:
    real = json.loads(reconciler("drill", "run", "outage", stack, "--yes", "--format", "json").out)["run"]
    rehearsed = json.loads(reconciler("drill", "run", "outage", stack, "--rehearse", "--format", "json").out)["run"]
    assert rehearsed[:15] >= real[:15]
    [shown] = json.loads(reconciler("drill", "status", stack, "--format", "json").out)["runs"]
    assert shown["run"] == real
    [listed] = json.loads(reconciler("drill", "list", stack, "--format", "json").out)["drills"]
    assert listed["last_run"]["run"] == real


def test_the_id_of_a_rehearsal_goes_by_the_real_clock(stack: Path) -> None:
    before = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    done = reconciler("drill", "run", "outage", stack, "--rehearse", "--speed", "10000", "--format", "json")
    assert before <= json.loads(done.out)["run"][:15] <= f"{datetime.now(UTC):%Y%m%dT%H%M%S}"


def test_a_run_says_where_it_points(stack: Path, emulator: Emulator) -> None:
    done = reconciler("drill", "run", "outage", stack, answers="outage\nyes\n")
    where = Target("aom", emulator.url, "p1").label
    assert where in " ".join(done.err.split())
    assert f"At {where}." in " ".join(done.out.split())
