"""The examples that look at services: each runs offline, as its README says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run_cli import Done, reconciler
from tests.e2e.readme import EXAMPLES, alike, played
from tests.emulator.handle import Emulator

MIRROR = EXAMPLES / "mirror"


@pytest.mark.parametrize("example", ["smoke-check", "mirror", "on-call", "library"])
def test_the_readme_shows_what_the_commands_print(example: str, tmp_path: Path) -> None:
    for step, output in played(example, tmp_path):
        assert alike(output) == alike(step.output), step.command


def alarm(number: int, **changes: object) -> dict[str, object]:
    return {
        "id": f"alarm-{number}",
        "startTime": "-10m",
        "state": "ALERT",
        "policy": {"aliasName": f"policy {number}", "level": "ALARM_LEVEL_CRITICAL"},
        "resource": {"identifiers": {"instanceId": f"i-{number}"}},
        **changes,
    }


class Mirror:
    """The mirror's stack in a directory of its own, looking at an emulator."""

    def __init__(self, directory: Path, emulator: Emulator) -> None:
        self.directory = directory
        self.endpoint = f"endpoint={emulator.url}"
        self.emulator = emulator
        (directory / "stack.yaml").write_text((MIRROR / "stack.yaml").read_text(encoding="utf-8"), encoding="utf-8")

    def run(self, command: str, *arguments: str | Path) -> Done:
        return reconciler(command, self.directory, "--var", self.endpoint, *arguments)

    def apply(self) -> Done:
        return self.run("apply", "--auto-approve")

    def firing(self) -> list[tuple[str, str]]:
        """Name and severity of what fires in AOM."""
        shown = (each["metadata"] for each in self.emulator.active_alarms())
        return sorted((each["event_name"], each["event_severity"]) for each in shown)


@pytest.fixture
def mirror(tmp_path: Path, emulator: Emulator) -> Mirror:
    return Mirror(tmp_path, emulator)


def test_what_fires_in_baidu_fires_in_aom_for_as_long_as_it_does(mirror: Mirror) -> None:
    mirror.emulator.put_bcm_alarms(alarm(1), alarm(2, policy={"aliasName": "odd", "level": "ALARM_LEVEL_DOOM"}))
    assert mirror.apply().code == 0
    assert mirror.firing() == [("odd", "Major"), ("policy 1", "Critical")]
    assert mirror.run("plan", "--detailed-exitcode").code == 0
    mirror.emulator.put_bcm_alarms(alarm(1, state="OK", endTime="now"))
    assert mirror.apply().code == 0
    assert mirror.firing() == [("odd", "Major")]


def test_what_fires_in_baidu_fires_in_alertmanager_for_as_long_as_it_does(tmp_path: Path, emulator: Emulator) -> None:
    stack = (MIRROR / "alertmanager" / "stack.yaml").read_text(encoding="utf-8")
    (tmp_path / "stack.yaml").write_text(stack, encoding="utf-8")
    places = [f"endpoint={emulator.url}", f"alertmanager={emulator.url}/alertmanager"]
    apply = ["apply", tmp_path, "--auto-approve", *(word for place in places for word in ("--var", place))]

    def firing() -> list[tuple[str, str, str]]:
        shown = emulator.session.get(f"{emulator.url}/alertmanager/api/v2/alerts").json()
        labels = [each["labels"] for each in shown]
        return sorted((each["alertname"], each["severity"], each["instance"]) for each in labels)

    emulator.put_bcm_alarms(alarm(1), alarm(2, policy={"aliasName": "odd", "level": "ALARM_LEVEL_DOOM"}))
    for _ in range(2):
        assert reconciler(*apply).code == 0
        assert firing() == [("odd", "error", "i-2"), ("policy 1", "critical", "i-1")]
    emulator.put_bcm_alarms(alarm(1, state="OK", endTime="now"))
    emulator.fault("bcm-list:cut,nth=1")
    assert reconciler(*apply).code == 0
    assert firing() == [("odd", "error", "i-2")]


@pytest.mark.parametrize(
    ("fault", "commands"),
    [
        ("bcm-list:status=503,retry_after=0", ["plan", "apply"]),
        ("bcm-list:cut", ["apply"]),  # which is tried again for seconds
        ("bcm-list:html", ["plan", "apply"]),
        ("bcm-list:status=403", ["plan", "apply"]),
    ],
)
def test_when_baidu_can_not_be_asked_nothing_is_cleared(mirror: Mirror, fault: str, commands: list[str]) -> None:
    mirror.emulator.put_bcm_alarms(alarm(1))
    mirror.apply()
    mirror.emulator.fault(fault)
    text = (mirror.directory / "stack.yaml").read_text()
    line = text[: text.index("    firing:")].count("\n") + 1
    for command in commands:
        done = mirror.apply() if command == "apply" else mirror.run(command)
        assert done.code == 1
        assert "data.bcm_alarms.firing cannot be queried" in done.err
        assert f"stack.yaml:{line}:5" in done.err
    assert mirror.firing() == [("policy 1", "Critical")]


def test_destroy_and_validate_ask_baidu_nothing(mirror: Mirror) -> None:
    mirror.emulator.put_bcm_alarms(alarm(1), alarm(2))
    mirror.apply()
    mirror.emulator.fault("bcm-list:status=503")
    mirror.emulator.forget_requests()
    assert mirror.run("validate").code == 0
    assert mirror.run("destroy", "--auto-approve").code == 0
    assert mirror.firing() == []
    assert mirror.emulator.requests("bcm-list") == []


def test_destroy_keeps_what_must_not_be_cleared_though_it_does_not_ask_which_that_is(mirror: Mirror) -> None:
    mirror.emulator.put_bcm_alarms(alarm(1))
    mirror.apply()
    file = mirror.directory / "stack.yaml"
    file.write_text(file.read_text().replace("{renew_before: 30m}", "{renew_before: 30m, prevent_clear: true}"))
    done = mirror.run("destroy", "--auto-approve")
    assert done.code == 1
    assert "prevent_clear" in done.err
    assert mirror.firing() == [("policy 1", "Critical")]


def test_a_saved_plan_is_refused_where_the_alarms_in_baidu_have_moved_on(mirror: Mirror) -> None:
    mirror.emulator.put_bcm_alarms(alarm(1))
    plan = mirror.directory / "plan.json"
    assert mirror.run("plan", "--out", plan).code == 0
    mirror.emulator.put_bcm_alarms(alarm(1, policy={"aliasName": "renamed", "level": "ALARM_LEVEL_CRITICAL"}))
    done = mirror.run("apply", plan)
    assert done.code == 1
    assert 'aom_alarm.from_baidu["alarm-1"]' in done.err
    assert mirror.firing() == []


def test_an_alarm_that_is_mirrored_carries_what_baidu_says(mirror: Mirror) -> None:
    mirror.emulator.put_bcm_alarms(alarm(1, policy={"aliasName": "cpu", "contentEn": "cpu > 90%"}))
    plan = json.loads(mirror.run("plan", "--format", "json").out)
    text = json.dumps(plan)
    assert "cpu > 90%" in text
    assert 'aom_alarm.from_baidu[\\"alarm-1\\"]' in text
