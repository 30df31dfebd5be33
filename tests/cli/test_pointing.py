"""Every plan, question, report and comment says where it points: provider, region or endpoint, and project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run_cli import Done, reconciler
from tests.emulator.handle import Emulator

STACK = """\
stack: shop
providers:
  aom: {{endpoint: "{url}", project_id: p1, auth: {{token: s3cr3t-t0ken}}, visible_within: 2s}}
  ces.eu: {{endpoint: "{url}", project_id: p2, auth: {{token: s3cr3t-t0ken}}, visible_within: 2s}}
resources:
  aom_alarm:
    slow: {{event_severity: Info, resource_provider: ecs, resource_type: vm, resource_id: r1}}
  ces_event:
    released: {{provider: ces.eu, occurrence: v1, event_source: shop.deploy, content: released}}
data:
  aom_alarms: {{critical: {{event_severity: Critical}}}}
checks:
  calm: {{data: aom_alarms.critical, expect: {{count: 0}}}}
drills:
  outage:
    resources:
      aom_alarm:
        broken: {{event_severity: Info, resource_provider: ecs, resource_type: vm, resource_id: r2}}
    steps:
      - {{at: 0s, raise: aom_alarm.broken}}
      - {{at: 0s, pause: go on?}}
"""


@pytest.fixture
def stack(emulator: Emulator, tmp_path: Path) -> Path:
    (tmp_path / "stack.yaml").write_text(STACK.format(url=emulator.url))
    return tmp_path


def pointers(emulator: Emulator) -> tuple[str, str]:
    return f"aom: aom {emulator.url}, project p1", f"ces.eu: ces {emulator.url}, project p2"


def points(done: Done, emulator: Emulator) -> bool:
    """Whether each target is named in what a command wrote, whatever its format."""
    text = " ".join((done.out + done.err).replace("&#8203;", "").split())
    return all(pointer in text for pointer in pointers(emulator))


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_plans_results_and_checks_name_every_target(stack: Path, emulator: Emulator, form: str) -> None:
    saved = stack / "plan.json"
    commands = [
        ("plan", stack, "--out", saved),
        ("show", saved),
        ("plan", stack, "--refresh-only"),
        ("apply", stack, saved),
        ("plan", stack),
        ("plan", stack, "--refresh-only"),
        ("apply", stack, "--auto-approve"),
        ("status", stack),
        ("check", stack),
        ("destroy", stack, "--auto-approve"),
        ("destroy", stack, "--auto-approve"),
    ]
    for command in commands:
        done = reconciler(*command, "--format", form)
        assert done.code == 0, done
        assert points(done, emulator), (command, done)


def test_documents_have_the_target_of_each_provider(stack: Path, emulator: Emulator) -> None:
    targets = {
        "aom": {"type": "aom", "place": emulator.url, "project": "p1"},
        "ces.eu": {"type": "ces", "place": emulator.url, "project": "p2"},
    }
    for command in (("plan",), ("plan", "--refresh-only"), ("status",), ("check",)):
        assert json.loads(reconciler(*command, stack, "--format", "json").out)["targets"] == targets, command
    for command in ("apply", "destroy"):
        document = json.loads(reconciler(command, stack, "--auto-approve", "--format", "json").out)
        assert document["plan"]["targets"] == targets
    junit = reconciler("check", stack, "--junit", "-").out
    assert f'<property name="target.ces.eu" value="ces {emulator.url} p2" />' in junit


@pytest.mark.parametrize(("command", "prepare"), [("apply", []), ("destroy", ["apply", "--auto-approve"])])
def test_the_question_of_an_approval_names_every_target(
    stack: Path, emulator: Emulator, command: str, prepare: list[str]
) -> None:
    if prepare:
        reconciler(*prepare, stack)
    asked = reconciler(command, stack, answers="no\n")
    question = (asked.out + asked.err).partition("reconciler will do exactly what is shown above, at:")[2]
    assert question
    for pointer in pointers(emulator):
        assert pointer in question


@pytest.mark.parametrize("answers", ["no\n", "outage\nno\n"])
def test_the_questions_of_a_drill_and_its_reports_say_where_it_points(
    stack: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, answers: str
) -> None:
    asked = reconciler("drill", "run", "outage", stack, answers=answers)
    where = f"aom {emulator.url}, project p1"
    assert f"at {where}" in " ".join(asked.err.split())
    if "outage" in answers:
        assert f"Drill outage at {where}" in " ".join(asked.err.split())
    monkeypatch.chdir(stack)
    for form in ("text", "markdown"):
        for command in (["report"], ["plan", "outage"]):
            told = reconciler("drill", *command, "--format", form)
            assert where in told.out.replace("&#8203;", ""), told
