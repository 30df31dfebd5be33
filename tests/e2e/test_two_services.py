"""Alarms and Cloud Eye events in one stack: one command for both, and what became of each told apart."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.cli.run_cli import reconciler
from tests.emulator.handle import Emulator
from tests.frozen_time import frozen_time

STACK = """\
stack: both
variables: {{release: {{default: one}}}}
providers:
  aom: {{endpoint: "{url}", project_id: p, auth: {{token: t}}, visible_within: 200ms}}
  ces: {{endpoint: "{url}", project_id: p, auth: {{token: t}}, visible_within: 200ms}}
resources:
  aom_alarm:
    degraded:
      for_each: {each}
      event_severity: Major
      resource_provider: ecs
      resource_type: vm
      resource_id: "${{each.value}}"
      timeout: 2h
  ces_event:
    released:
      for_each: {each}
      occurrence: "${{var.release}}"
      event_source: checkout.deploy
      event_level: Info
      content: "release ${{var.release}} on ${{each.value}}"
      {more}
"""


def declare(directory: Path, url: str, count: int, more: str = "") -> Path:
    directory.mkdir(exist_ok=True)
    each = json.dumps([f"h{number}" for number in range(count)])
    (directory / "stack.yaml").write_text(STACK.format(url=url, each=each, more=more))
    return directory


def test_250_alarms_and_250_events_apply_in_one_command(emulator: Emulator, tmp_path: Path) -> None:
    stack = declare(tmp_path / "stack", emulator.url, 250)
    done = reconciler("apply", stack, "--auto-approve")
    assert done.code == 0, done.err
    assert done.out.endswith("Apply complete: 250 created, 250 recorded.\n")
    assert len(emulator.active_alarms()) == 250
    assert len(emulator.ces_events()) == 250
    assert reconciler("plan", stack).out.endswith("No changes. 250 alarms and 250 events are as declared.\n")


@pytest.mark.parametrize("format", ["text", "markdown", "json"])
def test_a_failure_in_one_service_leaves_the_others_outcome_clear(
    emulator: Emulator, tmp_path: Path, format: str
) -> None:
    stack = declare(tmp_path / "stack", emulator.url, 20)
    emulator.fault("ces-report:status=400")
    done = reconciler("apply", stack, "--auto-approve", "--format", format)
    assert done.code == 4
    assert "aom: 20 created\n" in done.out or '"aom": "20 created"' in done.out
    assert "0 of 20 done, 20 failed" in done.out.split("ces", 1)[1]
    emulator.clear_faults()
    assert reconciler("apply", stack, "--auto-approve").out.endswith("Apply complete: 20 recorded.\n")


def test_a_service_that_lets_nobody_in_stops_the_run_and_what_the_other_did_is_told(
    emulator: Emulator, tmp_path: Path
) -> None:
    stack = declare(tmp_path / "stack", emulator.url, 5)
    emulator.fault("ces-report:status=403", "push:delay=300ms")
    done = reconciler("apply", stack, "--auto-approve")
    assert done.code in (1, 4)
    assert "The run was stopped: 403" in done.out
    assert "\n  ces: 0 of 5 done, 5 failed\n" in done.out
    assert f"To continue: reconciler apply {stack} --auto-approve\n" in done.out
    emulator.clear_faults()
    assert reconciler("apply", stack, "--auto-approve").code == 0
    assert (len(emulator.active_alarms()), len(emulator.ces_events())) == (5, 5)


def test_an_occurrence_is_one_event_from_two_machines_and_a_new_one_is_one_more(
    emulator: Emulator, tmp_path: Path
) -> None:
    here = declare(tmp_path / "here", emulator.url, 3)
    there = shutil.copytree(here, tmp_path / "there")
    for machine in (here, there, here):
        assert reconciler("apply", machine, "--auto-approve").code == 0
        assert len(emulator.ces_events()) == 3
    for machine in (there, here):
        assert reconciler("apply", machine, "--auto-approve", "--var", "release=two").code == 0
        assert len(emulator.ces_events()) == 6


@pytest.mark.parametrize("fault", ["store-then-cut", "store-then-500", "cut", "status=500", "cut-body"])
def test_an_answer_that_is_lost_leaves_one_event_never_two_never_none(
    emulator: Emulator, tmp_path: Path, fault: str
) -> None:
    stack = declare(tmp_path / "stack", emulator.url, 3)
    emulator.fault(f"ces-report:{fault},nth=1")
    assert reconciler("apply", stack, "--auto-approve").code == 0
    assert len(emulator.ces_events()) == 3
    assert reconciler("plan", stack, "--detailed-exitcode").code == 0


def test_a_saved_plan_with_an_event_holds_for_as_long_as_cloud_eye_takes_it(tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    with frozen_time("2026-05-01T12:00:00Z") as clock, running(Settings()) as url:
        stack = declare(tmp_path / "stack", url, 1)
        made = reconciler("plan", stack, "--out", saved)
        assert "To apply exactly this plan, until 2026-05-01T12:59:50Z: reconciler apply" in made.err
        assert "It can be applied until 2026-05-01T12:59:50Z, for another 59m50s." in reconciler("show", saved).out
        assert "2026-05-01T12:59:50Z" in reconciler("show", saved, "--format", "markdown").out
        assert json.loads(reconciler("show", saved, "--format", "json").out)["send_by"] == "2026-05-01T12:59:50Z"
        clock.move_to("2026-05-01T12:59:51Z")
        late = reconciler("apply", stack, saved)
        assert late.code == 1
        assert 'ces_event.released["h0"] had to be sent by 2026-05-01T12:59:50Z, 1s ago' in late.err
        assert Emulator(url).requests("push") == Emulator(url).requests("ces-report") == []


@pytest.mark.parametrize(
    ("time", "told"), [("2026-05-01T10:30:00Z", "closed 30m10s ago"), ("2026-05-01T12:20:00Z", "lies 20m ahead")]
)
def test_an_event_outside_the_window_is_an_error_that_says_by_how_much_before_anything_is_sent(
    tmp_path: Path, time: str, told: str
) -> None:
    with frozen_time("2026-05-01T12:00:00Z"), running(Settings()) as url:
        stack = declare(tmp_path / "stack", url, 1, more=f'time: "{time}"')
        for command in ("plan", "apply"):
            done = reconciler(command, stack, *(["--auto-approve"] if command == "apply" else []))
            assert done.code == 1
            assert told in done.err
        assert Emulator(url).requests("push") == Emulator(url).requests("ces-report") == []
