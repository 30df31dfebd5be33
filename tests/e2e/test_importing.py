"""Import blocks: at AOM, merging repeated pushes or not, and at Alertmanager, emulated and real."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from reconciler.emulator.settings import Settings
from tests.cli.run_cli import Done, reconciler
from tests.cli.stacks import TOKEN, write
from tests.emulator.alertmanager.target import KINDS, Target, target
from tests.emulator.handle import Emulator

METADATA = {
    "event_severity": "Major",
    "event_type": "alarm",
    "resource_provider": "ecs",
    "resource_type": "vm",
    "resource_id": "r1",
}


def _fire(emulator: Emulator, name: str) -> str:
    """Raise an alarm as anything but this project would; its id."""
    metadata = {**METADATA, "event_name": name}
    event = {"starts_at": emulator.now() - 60_000, "timeout": 1_800_000, "metadata": metadata, "annotations": {}}
    answer = requests.put(
        f"{emulator.url}/v2/p1/push/events", json={"events": [event]}, headers={"X-Auth-Token": TOKEN}, timeout=10
    )
    assert answer.status_code == 204
    return str(emulator.active_alarms()[-1]["id"])


def _block(id_: str, to: str = "aom_alarm.disk") -> str:
    return f"import: [{{to: {to}, id: '{id_}'}}]\n"


def _applied(stack: Path, ends: str) -> None:
    done = reconciler("apply", stack, "--auto-approve")
    assert (done.code, done.out.splitlines()[-1]) == (0, f"Apply complete: {ends}."), done.out + done.err


def _planned(stack: Path, *options: str) -> str:
    done = reconciler("plan", stack, *options)
    assert done.code == 0, done.err
    return done.out


@pytest.mark.parametrize(
    ("emulator", "operations"),
    [
        (Settings(merge_on="mandatory"), ["push"]),
        (Settings(on_repeat="merge"), ["push", "clear"]),
        (Settings(on_repeat="duplicate", clear_by="metadata"), ["push", "clear"]),
    ],
    indirect=["emulator"],
    ids=["refreshes", "merges-equal-metadata", "never-merges"],
)
def test_an_imported_alarm_goes_on_firing_at_aom(emulator: Emulator, operations: list[str], tmp_path: Path) -> None:
    id_ = _fire(emulator, "disk")
    stack = write(tmp_path / "stack", "disk", endpoint=emulator.url, more=_block(id_))
    (before,) = emulator.active_alarms()
    emulator.forget_requests()
    plan = _planned(stack)
    assert f"  < aom_alarm.disk will be imported: fires unmanaged as {id_} since " in plan
    assert "1 aom_alarm will be imported: if AOM does not merge" in plan
    assert plan.endswith("Plan: 1 to import.\n")
    _applied(stack, "1 imported")
    (after,) = emulator.active_alarms()
    assert after["metadata"]["reconciler_address"] == "aom_alarm.disk"
    assert after["starts_at"] == before["starts_at"]
    assert (after["id"] == id_) == (operations == ["push"])
    assert [item["operation"] for item in emulator.requests() if item["operation"] in ("push", "clear")] == operations
    # The block may stay, as long as the alarm fires and when it has been cleared.
    assert _planned(stack).endswith("No changes. 1 alarm is as declared.\n")
    assert reconciler("destroy", stack, "--auto-approve").code == 0
    assert _planned(stack).endswith("Plan: 1 to create.\n")


def test_a_block_that_cannot_be_carried_out_is_told_at_its_place(emulator: Emulator, tmp_path: Path) -> None:
    other = write(tmp_path / "other", "disk", endpoint=emulator.url, stack="other")
    _applied(other, "1 created")
    theirs = str(emulator.active_alarms()[0]["id"])

    def refused(id_: str) -> str:
        done = reconciler("plan", write(tmp_path / "stack", "disk", endpoint=emulator.url, more=_block(id_)))
        assert done.code == 1
        assert "stack.yaml:7:10\n" in done.err
        return done.err

    assert "aom_alarm.disk: provider aom shows nothing active with the id 17\n" in refused("17")
    assert f"aom_alarm.disk: cannot import {theirs}, which is aom_alarm.disk of stack other\n" in refused(theirs)
    mine = write(tmp_path / "stack", "disk", endpoint=emulator.url, more=_block("17", "aom_alarm.disc"))
    told = reconciler("validate", mine)
    assert told.code == 1
    assert "aom_alarm.disc is imported, and is not declared\n" in told.err
    assert 'did you mean "aom_alarm.disk"?' in told.err


def test_the_stacks_own_alarm_is_not_imported_under_another_address(emulator: Emulator, tmp_path: Path) -> None:
    stack = write(tmp_path / "stack", "disk", endpoint=emulator.url)
    _applied(stack, "1 created")
    id_ = str(emulator.active_alarms()[0]["id"])
    write(stack, "disk", "cpu", endpoint=emulator.url, more=_block(id_, "aom_alarm.cpu"))
    done = reconciler("plan", stack)
    assert done.code == 1
    assert f"aom_alarm.cpu: cannot import {id_}, which is aom_alarm.disk of this stack\n" in done.err
    assert "write moved: [{from: aom_alarm.disk, to: aom_alarm.cpu}]" in done.err


def test_a_saved_import_is_applied_once_and_refused_once_its_alarm_has_ended(
    emulator: Emulator, tmp_path: Path
) -> None:
    id_ = _fire(emulator, "disk")
    stack = write(tmp_path / "stack", "disk", endpoint=emulator.url, more=_block(id_))
    saved = tmp_path / "plan.json"
    made = json.loads(_planned(stack, "--format", "json", "--out", str(saved)))
    assert (made["counts"]["import"], made["changes"][0]["action"]) == (1, "import")
    assert "! aom_alarm.disk will be imported: fires unmanaged as" in _planned(stack, "--format", "markdown")
    assert json.loads(saved.read_text())["format_version"] == "2.2"
    assert reconciler("apply", stack, saved).out.endswith("Apply complete: 1 imported.\n")
    assert reconciler("apply", stack, saved).out.startswith("Already applied")
    again = write(tmp_path / "again", "cpu", endpoint=emulator.url, stack="again")
    (again / "imports.yaml").write_text(_block(_fire(emulator, "cpu"), "aom_alarm.cpu"))
    _planned(again, "--out", str(saved))
    emulator.session.put(
        f"{emulator.url}/v2/p1/push/events",
        params={"action": "clear"},
        json={"events": [{"starts_at": 0, "ends_at": emulator.now(), "metadata": {**METADATA, "event_name": "cpu"}}]},
        headers={"X-Auth-Token": TOKEN},
        timeout=10,
    )
    done = reconciler("apply", again, saved)
    assert done.code == 1
    assert "aom_alarm.cpu has changed at the service since the plan" in done.err


def test_an_import_without_adoption_is_told_as_a_duplicate_until_it_is_taken_over(
    emulator: Emulator, tmp_path: Path
) -> None:
    id_ = _fire(emulator, "disk")
    stack = write(tmp_path / "stack", "ours", endpoint=emulator.url)
    assert reconciler("import", stack, "--out", stack / "imported.yaml").code == 0
    warning = f"would duplicate the unmanaged alarm {id_}, firing since"
    assert warning in _planned(stack)
    _applied(stack, "2 created")
    (told,) = json.loads(_planned(stack, "--format", "json"))["warnings"]
    assert told["summary"].startswith(f"aom_alarm.disk duplicates the unmanaged alarm {id_}, ")
    assert (Path(told["position"]["file"]).name, told["position"]["line"]) == ("imported.yaml", 5)
    # The hint's own words are the next step.
    (stack / "blocks.yaml").write_text("\n".join(told["hint"].split("\n")[1:]) + "\n")
    plan = _planned(stack)
    assert f"  < aom_alarm.disk will be imported: unmanaged {id_}, which fires beside it, is cleared\n" in plan
    assert "warning" not in plan
    _applied(stack, "1 imported")
    assert _planned(stack).endswith("No changes. 2 alarms are as declared.\n")
    assert len(emulator.active_alarms()) == 2


def test_what_import_writes_with_blocks_is_taken_over_by_the_next_apply(emulator: Emulator, tmp_path: Path) -> None:
    id_ = _fire(emulator, "disk")
    stack = write(tmp_path / "stack", "ours", endpoint=emulator.url)
    done = reconciler("import", stack, "--blocks", "--out", stack / "imported.yaml")
    assert f"take them over: reconciler plan {stack}\n" in done.err
    assert f'import:\n  - {{to: aom_alarm.disk, id: "{id_}"}}\n' in (stack / "imported.yaml").read_text()
    _applied(stack, "1 created, 1 imported")
    refused = reconciler("import", stack, "--blocks", "--adopt")
    assert (refused.code, "--blocks writes YAML, and --adopt a plan" in refused.err) == (1, True)


def _silenced(servers: Target) -> str:
    """The id of a silence that somebody else made."""
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = {
        "matchers": [{"name": "service", "value": "web", "isRegex": False, "isEqual": True}],
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": ends,
        "createdBy": "ops",
        "comment": "by hand",
    }
    return str(servers.send("POST", "/api/v2/silences", json=made).json()["silenceID"])


@pytest.mark.parametrize("kind", KINDS)
def test_an_alert_and_a_silence_are_imported_at_alertmanager(kind: str, tmp_path: Path) -> None:
    with target(kind, tmp_path / "servers") as servers:
        labels = {"alertname": "Down", "severity": "critical"}
        ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        by_rule = {"labels": {"alertname": "Rule"}, "endsAt": ends, "generatorURL": "http://prometheus/graph"}
        servers.send("POST", "/api/v2/alerts", json=[{"labels": labels, "endsAt": ends}, by_rule])
        silence = _silenced(servers)
        fingerprints = {alert["labels"]["alertname"]: alert["fingerprint"] for alert in servers.query()}
        directory = tmp_path / "stack"
        directory.mkdir()

        def run(command: str, blocks: dict[str, str], *options: str) -> Done:
            stack = {
                "stack": "shop",
                "providers": {"alertmanager": {"endpoints": list(servers.urls), "visible_within": "1s"}},
                "resources": {
                    "alertmanager_alert": {"Down": {"labels": labels, "timeout": "1h"}},
                    "alertmanager_silence": {
                        "web": {"matchers": ['service="web"'], "comment": "by hand", "duration": "2h"}
                    },
                },
                "import": [{"to": to, "id": id_} for to, id_ in blocks.items()],
            }
            (directory / "stack.yaml").write_text(json.dumps(stack))
            return reconciler(command, directory, *options)

        alert_to, silence_to = "alertmanager_alert.Down", "alertmanager_silence.web"
        wrong = run("plan", {alert_to: silence, silence_to: fingerprints["Down"]})
        assert "which is an alertmanager_silence\n" in wrong.err
        assert "which is an alertmanager_alert\n" in wrong.err
        resent = run("plan", {alert_to: fingerprints["Rule"]})
        assert "sends it again as long as its rule fires" in resent.err
        blocks = {alert_to: fingerprints["Down"], silence_to: silence}
        assert "alertmanager_alert will be imported: Alertmanager treats" in run("plan", blocks).out
        done = run("apply", blocks, "--auto-approve")
        assert done.out.endswith("Apply complete: 2 imported.\n"), done.out + done.err
        down = [alert for alert in servers.query() if alert["labels"]["alertname"] == "Down"]
        assert [alert["labels"].get("reconciler_address") for alert in down] == [alert_to]
        standing = [
            item for item in servers.send("GET", "/api/v2/silences").json() if item["status"]["state"] == "active"
        ]
        assert [item["comment"].startswith("by hand") for item in standing] == [True]
        assert standing[0]["id"] != silence
        assert run("plan", blocks).out.endswith("No changes. 1 alarm and 1 silence are as declared.\n")


@pytest.mark.parametrize("where", ["alertmanager"])
def test_with_marks_as_annotations_no_alert_can_be_imported(where: str, emulator: Emulator, tmp_path: Path) -> None:
    url = f"{emulator.url}/{where}"
    requests.post(f"{url}/api/v2/alerts", json=[{"labels": {"alertname": "Down"}}], timeout=10)
    (alert,) = requests.get(f"{url}/api/v2/alerts", timeout=10).json()
    stack = {
        "stack": "shop",
        "providers": {"alertmanager": {"endpoints": [url], "marks": "annotations"}},
        "resources": {"alertmanager_alert": {"Down": {}}},
        "import": [{"to": "alertmanager_alert.Down", "id": alert["fingerprint"]}],
    }
    (tmp_path / "stack.yaml").write_text(json.dumps(stack))
    done = reconciler("plan", tmp_path)
    assert done.code == 1
    assert "the stack's own alert has the same labels" in done.err


def test_of_a_large_stack_only_what_is_raised_is_compared_with_what_fires_unmanaged(
    emulator: Emulator, tmp_path: Path
) -> None:
    stack = write(tmp_path / "stack", "disk", endpoint=emulator.url)
    file = stack / "stack.yaml"
    file.write_text(
        file.read_text()
        .replace("disk: {", f"disk: {{for_each: {[f'h{n}' for n in range(101)]}, ")
        .replace("r1", '"${each.key}"')
    )
    _applied(stack, "101 created")
    _fire(emulator, "cpu")
    emulator.forget_requests()
    _planned(stack)
    assert len(emulator.requests("query")) == 1
    file.write_text(
        file.read_text()
        + "    cpu: {resource_provider: ecs, resource_type: vm, resource_id: r1, event_severity: Major}\n"
    )
    assert "aom_alarm.cpu would duplicate the unmanaged alarm" in _planned(stack)
