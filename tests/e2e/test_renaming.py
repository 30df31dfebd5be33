"""Renamed alarms: at AOM, merging repeated pushes or not, and at Alertmanager, emulated and real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.emulator.aom.notifications import NotificationRule
from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.cli.run_cli import reconciler
from tests.cli.stacks import TOKEN, write
from tests.emulator.alertmanager.target import KINDS, target
from tests.emulator.handle import Emulator

PAGER = NotificationRule("pager", cleared=True)
MOVED = "moved: [{from: aom_alarm.old, to: aom_alarm.new}]\n"


def _renamed(directory: Path, url: str, moved: str = MOVED) -> Path:
    """The stack with its one alarm under the new address, firing by the name it had."""
    write(directory, "new", endpoint=url, more=moved)
    file = directory / "stack.yaml"
    file.write_text(file.read_text().replace("new: {resource", "new: {event_name: old, resource"))
    return directory


def _pages(emulator: Emulator) -> int:
    """How many notifications were sent of all alarms there were."""
    count = 0
    for alarm in emulator.alarms():
        answer = emulator.session.get(
            f"{emulator.url}/v2/p1/alarm-notified-histories",
            params={"event_sn": alarm["event_sn"]},
            headers={"X-Auth-Token": TOKEN},
            timeout=30,
        )
        assert answer.ok
        count += sum(len(history["notifications"]) for history in answer.json()["notified_histories"])
    return count


@pytest.mark.parametrize(
    ("settings", "operations"),
    [
        (Settings(merge_on="mandatory", notifications=(PAGER,)), ["push"]),
        (Settings(on_repeat="merge", notifications=(PAGER,)), ["push", "clear"]),
        (Settings(on_repeat="duplicate", notifications=(PAGER,)), ["push", "clear"]),
    ],
    ids=["refreshes", "merges-equal-metadata", "never-merges"],
)
def test_a_renamed_alarm_goes_on_firing_at_aom(settings: Settings, operations: list[str], tmp_path: Path) -> None:
    with running(settings) as url:
        emulator = Emulator(url)
        stack = write(tmp_path / "stack", "old", endpoint=url)
        assert reconciler("apply", stack, "--auto-approve").code == 0
        (before,) = emulator.active_alarms()
        emulator.forget_requests()
        _renamed(stack, url)
        plan = reconciler("plan", stack)
        assert "  > aom_alarm.new will be moved: from aom_alarm.old\n" in plan.out
        assert plan.out.endswith("Plan: 1 to move.\n")
        done = reconciler("apply", stack, "--auto-approve")
        assert done.out.endswith("Apply complete: 1 moved.\n"), done.out + done.err
        (after,) = emulator.active_alarms()
        assert after["metadata"]["reconciler_address"] == "aom_alarm.new"
        assert after["starts_at"] == before["starts_at"]
        assert [
            item["operation"] for item in emulator.requests() if item["operation"] in ("push", "clear")
        ] == operations
        assert (after["id"] == before["id"]) == (operations == ["push"])
        # Without the block nothing is left to do either.
        assert reconciler("plan", _renamed(stack, url, moved="")).out.endswith("No changes. 1 alarm is as declared.\n")


def test_a_service_that_knows_an_alarm_by_its_mandatory_metadata_sends_no_page(tmp_path: Path) -> None:
    with running(Settings(merge_on="mandatory", notifications=(PAGER,))) as url:
        emulator = Emulator(url)
        stack = write(tmp_path / "stack", "old", endpoint=url)
        reconciler("apply", stack, "--auto-approve")
        sent = _pages(emulator)
        reconciler("apply", _renamed(stack, url), "--auto-approve")
        assert (sent, _pages(emulator)) == (1, 1)


def test_a_moved_event_is_never_recorded_again_even_without_the_block(emulator: Emulator, tmp_path: Path) -> None:
    head = f"stack: s\nproviders: {{aom: {{endpoint: '{emulator.url}', project_id: p1, auth: {{token: t}}}}}}\n"
    event = "{occurrence: v1, event_severity: Info, resource_provider: ci, resource_type: job, resource_id: deploy}"
    file = tmp_path / "stack.yaml"
    file.write_text(f"{head}resources: {{aom_event: {{old: {event}}}}}\n")
    assert reconciler("apply", tmp_path, "--auto-approve").code == 0
    moved = "moved: [{from: aom_event.old, to: aom_event.new}]\n"
    renamed = f"{head}resources: {{aom_event: {{new: {event}}}}}\n"
    file.write_text(renamed + moved)
    done = reconciler("apply", tmp_path, "--auto-approve")
    assert done.out.endswith("Apply complete: 1 moved.\n"), done.out + done.err
    for text in (renamed + moved, renamed):
        file.write_text(text)
        assert "No changes." in reconciler("apply", tmp_path, "--auto-approve").out
    assert len(emulator.alarms()) == 1


def test_views_and_the_saved_plan_tell_of_a_move(emulator: Emulator, tmp_path: Path) -> None:
    stack = write(tmp_path / "stack", "old", endpoint=emulator.url)
    reconciler("apply", stack, "--auto-approve")
    _renamed(stack, emulator.url)
    saved = tmp_path / "plan.json"
    made = json.loads(reconciler("plan", stack, "--format", "json", "--out", saved).out)
    assert made["counts"]["move"] == 1
    assert made["changes"][0]["moved_from"] == "aom_alarm.old"
    markdown = reconciler("plan", stack, "--format", "markdown").out
    assert "! aom_alarm.new will be moved: from aom_alarm.old" in markdown
    assert reconciler("apply", stack, saved).out.endswith("Apply complete: 1 moved.\n")
    assert reconciler("apply", stack, saved).out.startswith("Already applied")


@pytest.mark.parametrize("kind", KINDS)
def test_a_renamed_alert_goes_on_firing_at_alertmanager(kind: str, tmp_path: Path) -> None:
    with target(kind, tmp_path / "servers") as servers:
        directory = tmp_path / "stack"
        directory.mkdir()

        def declare(name: str, **more: object) -> None:
            provider = {"endpoints": list(servers.urls), "visible_within": "1s"}
            alert = {"labels": {"alertname": "Down", "severity": "critical"}, "timeout": "1h"}
            stack = {"stack": "shop", "providers": {"alertmanager": provider}, **more}
            stack["resources"] = {"alertmanager_alert": {name: alert}}
            (directory / "stack.yaml").write_text(json.dumps(stack))

        declare("old")
        assert reconciler("apply", directory, "--auto-approve").code == 0
        (before,) = servers.query('reconciler_stack="shop"')
        declare("new", moved=[{"from": "alertmanager_alert.old", "to": "alertmanager_alert.new"}])
        plan = reconciler("plan", directory)
        assert "1 alertmanager_alert will be moved: Alertmanager treats an alert at another address" in plan.out
        done = reconciler("apply", directory, "--auto-approve")
        assert done.out.endswith("Apply complete: 1 moved.\n"), done.out + done.err
        (after,) = servers.query('reconciler_stack="shop"')
        assert after["labels"]["reconciler_address"] == "alertmanager_alert.new"
        assert after["startsAt"] == before["startsAt"]
        declare("new")
        assert "No changes." in reconciler("plan", directory).out
