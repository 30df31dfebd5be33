"""A provider taken out of the configuration while alarms that went through it still fire."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run_cli import reconciler
from tests.emulator.handle import Emulator

TOKEN = "s3cr3t-t0ken"  # noqa: S105 - made up
PROVIDER = '  {key}: {{type: aom, endpoint: "{url}", project_id: {project}, auth: {{token: {token}}}}}\n'
ALARM = (
    "    {name}: {{provider: {key}, resource_provider: ecs, resource_type: vm, resource_id: r, event_severity: Major, "
    "timeout: 30m}}\n"
)


class Stack:
    """A stack whose alarms ``one`` and ``two`` go through ``west``, and ``here`` through ``aom``."""

    def __init__(self, directory: Path, emulator: Emulator) -> None:
        self.directory, self.emulator = directory, emulator

    def write(self, *, west: bool, alarms: bool, key: str = "west") -> Path:
        text = "stack: tests\nproviders:\n"
        keys = ["aom", key] if west else ["aom"]
        for each in keys:
            project = "p1" if each == "aom" else "p2"
            text += PROVIDER.format(key=each, url=self.emulator.url, project=project, token=TOKEN)
        text += "resources:\n  aom_alarm:\n" + ALARM.format(name="here", key="aom")
        if alarms:
            text += "".join(ALARM.format(name=name, key=key) for name in ("one", "two"))
        (self.directory / "stack.yaml").write_text(text)
        return self.directory


@pytest.fixture
def stack(tmp_path: Path, emulator: Emulator) -> Stack:
    """Applied, and then ``west`` and its alarms are taken out together."""
    made = Stack(tmp_path, emulator)
    assert reconciler("apply", made.write(west=True, alarms=True), "--auto-approve").code == 0
    made.write(west=False, alarms=False)
    emulator.forget_requests()
    return made


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_plan_warns_of_what_fires_at_a_provider_that_is_gone(stack: Stack) -> None:
    done = reconciler("plan", stack.directory, "--detailed-exitcode")
    assert done.code == 0, done
    assert (
        "warning: provider west is not configured any more, and 2 alarms that went through it may still fire: "
        "aom_alarm.one, aom_alarm.two" in words(done.out)
    )
    assert "put providers.west back and apply" in words(done.out)
    assert "No changes." in done.out
    assert TOKEN not in done.out + done.err


def test_nobody_is_asked_who_is_not_configured(stack: Stack) -> None:
    reconciler("plan", stack.directory)
    assert {request["path"].split("/")[2] for request in stack.emulator.requests("query")} == {"p1"}


def test_the_warning_is_in_every_format_and_counts_as_no_change(stack: Stack) -> None:
    plan = json.loads(reconciler("plan", stack.directory, "--format", "json").out)
    [warning] = plan["warnings"]
    assert (warning["severity"], plan["diagnostics"], plan["changes"]) == ("warning", [], [])
    assert "provider west" in warning["summary"]
    shown = reconciler("plan", stack.directory, "--format", "markdown").out
    assert "- **warning** provider west is not configured any more" in shown
    assert "cannot be applied" not in shown


@pytest.mark.parametrize("command", ["apply", "destroy"])
def test_apply_and_destroy_warn_too_and_do_their_work(stack: Stack, command: str) -> None:
    for _ in range(2):  # again where nothing is left to do
        done = reconciler(command, stack.directory, "--auto-approve")
        assert done.code == 0, done
        assert done.out.count("provider west is not configured any more") == 1
        fires = [alarm for alarm in stack.emulator.active_alarms() if alarm["project_id"] == "p2"]
        assert len(fires) == 2
    document = json.loads(reconciler(command, stack.directory, "--auto-approve", "--format", "json").out)
    assert "provider west" in document["plan"]["warnings"][0]["summary"]
    shown = reconciler(command, stack.directory, "--auto-approve", "--format", "markdown").out
    assert "provider west is not configured any more" in shown


def test_a_saved_plan_keeps_its_warning(stack: Stack, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    assert reconciler("plan", stack.directory, "--out", saved).code == 0
    assert "provider west is not configured any more" in words(reconciler("show", saved).out)


def test_a_target_elsewhere_is_not_warned_about(stack: Stack) -> None:
    assert "west" not in reconciler("plan", stack.directory, "--target", "aom_alarm.here").out


def test_the_way_out_is_to_put_it_back_apply_and_take_it_out(stack: Stack) -> None:
    assert reconciler("apply", stack.write(west=True, alarms=False), "--auto-approve").code == 0
    assert [alarm["project_id"] for alarm in stack.emulator.active_alarms()] == ["p1"]
    assert "west" not in reconciler("plan", stack.write(west=False, alarms=False)).out


def test_a_provider_that_only_got_another_key_is_not_warned_about(stack: Stack) -> None:
    done = reconciler("plan", stack.write(west=True, alarms=True, key="occident"))
    assert "No changes." in done.out
    assert "west" not in done.out
