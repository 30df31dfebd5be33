"""Silences as code: whole commands against the emulator and the real server, alone and as a cluster of two."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.e2e.alertmanager_stack import Stack, down, quiet
from tests.emulator.alertmanager.target import KINDS, Emulated, Target, target
from tests.emulator.handle import Emulator
from tests.servers.alertmanager import amtool
from tests.servers.webhook import webhook_receiver


@pytest.fixture(scope="module", params=KINDS)
def one(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One server alone; each test has a stack of its own there."""
    with target(request.param, tmp_path_factory.mktemp("silences")) as made:
        yield made


@pytest.fixture(scope="module", params=KINDS)
def two(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A cluster of two."""
    with target(request.param, tmp_path_factory.mktemp("silences"), 2) as made:
        yield made


def test_a_declared_silence_stands_and_is_posted_once(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).silence(disk=quiet())
    assert "alertmanager_silence.disk will be created" in stack.plan()
    stack.apply("1 created")
    [silence] = before = stack.shown()
    assert (silence["status"]["state"], silence["createdBy"]) == ("active", "ops")
    assert silence["comment"].startswith("the disk is replaced\n\n[reconciler {")
    assert [(each["name"], each["value"], each["isRegex"], each["isEqual"]) for each in silence["matchers"]] == [
        ("instance", "web-1", False, True),
        ("severity", "info|warning", True, True),
        ("team", "shop", False, False),
    ]
    assert stack.plan().endswith("No changes. 1 silence is as declared.\n")
    assert stack.run("apply", "--auto-approve").code == 0
    assert stack.shown() == before


def test_amtool_shows_the_silence_that_was_declared(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one)
    stack.silence(disk=quiet(matchers=[f'service="{stack.name}"'])).apply("1 created")
    query = ("silence", "query", f"service={stack.name}", "--output=json")
    [silence] = json.loads(amtool(one.urls[0], *query))
    assert (silence["createdBy"], silence["status"]["state"]) == ("ops", "active")
    assert [silence["id"]] == [each["id"] for each in stack.shown()]
    stack.silence().apply("1 cleared")
    assert json.loads(amtool(one.urls[0], *query)) == []


def test_another_comment_or_end_changes_the_silence_in_place(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).silence(disk=quiet())
    stack.apply("1 created")
    [before] = stack.shown()
    for changed in ({"comment": "the disk is late"}, {"duration": "3h"}, {"duration": "1h"}, {"created_by": "me"}):
        stack.silence(disk=quiet(**changed)).apply("1 updated")
        [after] = stack.shown()
        assert (after["id"], after["startsAt"]) == (before["id"], before["startsAt"])
        assert "No changes." in stack.plan()


def test_other_matchers_are_another_silence_in_place_of_the_old_one(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).silence(disk=quiet())
    stack.apply("1 created")
    [before] = stack.shown()
    stack.silence(disk=quiet(matchers=['instance="web-2"'])).apply("1 replaced")
    [after] = stack.shown()
    assert after["id"] != before["id"]
    assert [each["value"] for each in after["matchers"]] == ["web-2"]
    assert "No changes." in stack.plan()


def test_the_order_of_matchers_and_their_quotes_mean_nothing(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).silence(disk=quiet())
    stack.apply("1 created")
    stack.silence(disk=quiet(matchers=['team != "shop"', "instance=web-1", 'severity=~"info|warning"']))
    assert "No changes." in stack.plan()


def test_a_silence_that_is_declared_no_more_is_expired_and_the_others_stay(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).silence(disk=quiet(), network=quiet())
    stack.apply("2 created")
    stack.silence(network=quiet()).apply("1 cleared")
    [left] = stack.shown()
    assert "alertmanager_silence.network" in left["comment"]
    assert stack.run("destroy", "--auto-approve").code == 0
    assert stack.shown() == []


def test_a_future_silence_is_pending_and_can_be_moved(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one)
    night = {"starts_at": one.time(3_600), "ends_at": one.time(7_200)}
    stack.silence(disk=quiet(**night)).apply("1 created")
    [before] = stack.shown()
    assert before["status"]["state"] == "pending"
    assert "No changes." in stack.plan()
    stack.silence(disk=quiet(**night | {"starts_at": one.time(1_800)})).apply("1 updated")
    [after] = stack.shown()
    assert (after["id"], after["status"]["state"]) == (before["id"], "pending")
    assert after["startsAt"] < before["startsAt"]
    stack.silence(disk=quiet(**night | {"starts_at": one.time(-60)})).apply("1 updated")
    [begun] = stack.shown()
    assert begun["status"]["state"] == "active"
    assert "No changes." in stack.plan()


def test_a_silence_whose_declared_end_has_passed_is_not_made(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).silence(disk=quiet(starts_at=one.time(-7_200), ends_at=one.time(-3_600)))
    assert "No changes." in stack.plan()
    stack.silence(disk=quiet(ends_at=one.time(3_600))).apply("1 created")
    assert "No changes." in stack.plan()
    stack.silence(disk=quiet(ends_at=one.time(-1))).apply("1 cleared")
    assert stack.shown() == []


def test_a_silence_near_its_end_is_renewed_in_place(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).silence(disk=quiet(duration="10m"))
    stack.apply("1 created")
    [before] = stack.shown()
    stack.silence(disk=quiet(duration="10m", lifecycle={"renew_before": "599999ms"})).apply("1 renewed")
    [after] = stack.shown()
    assert (after["id"], after["startsAt"]) == (before["id"], before["startsAt"])
    assert after["endsAt"] > before["endsAt"]


def test_a_silence_that_somebody_expired_or_changed_is_drift(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).silence(disk=quiet())
    stack.apply("1 created")
    [silence] = stack.shown()
    amtool(one.urls[0], "silence", "update", silence["id"], "--duration=5h")
    assert "changed by hand: duration differs" in stack.plan()
    stack.apply("1 updated")
    assert [each["id"] for each in stack.shown()] == [silence["id"]]
    assert "No changes." in stack.plan()
    amtool(one.urls[0], "silence", "expire", silence["id"])
    assert "not by this stack's ledger" in stack.plan()
    stack.apply("1 created")
    assert len(stack.shown()) == 1


def test_what_amtool_added_unmarked_is_never_touched(one: Target, tmp_path: Path) -> None:
    url = one.urls[0]
    stack = Stack(tmp_path, one)
    equal = ("instance=web-1", "severity=~info|warning", "team!=shop")
    foreign = amtool(url, "silence", "add", *equal, "--comment=by hand", "--duration=1h").strip()
    amtool(url, "alert", "add", "alertname=Down", "instance=web-1", "severity=critical", f"by={stack.name}")
    stack.silence(disk=quiet())
    stack.declare(Down=down()).apply("2 created")
    other = Stack(tmp_path, one)
    other.silence(disk=quiet()).apply("1 created")
    stack.silence().apply("2 cleared")
    assert len(other.shown()) == 1
    assert other.run("destroy", "--auto-approve").code == 0
    standing = json.loads(amtool(url, "silence", "query", *equal, "--output=json"))
    assert [each["id"] for each in standing if each["comment"] == "by hand"] == [foreign]
    [alert] = one.query(f'by="{stack.name}"')
    assert alert["endsAt"] > one.time()


def test_a_saved_plan_of_alerts_and_silences_is_applied_once(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one)
    stack.silences = {"disk": quiet(), "gone": quiet()}
    stack.declare(Shorter=down(), Gone=down(), Relabelled=down()).apply("5 created")
    stack.silences = {"disk": quiet(comment="later"), "made": quiet()}
    stack.declare(Shorter=down(timeout="10m"), Relabelled=down("warning"), New=down())
    saved = str(tmp_path / "plan.json")
    done = stack.run("plan", "--out", saved)
    assert done.out.endswith("Plan: 2 to create, 1 to update, 2 to replace, 2 to clear.\n"), done.out
    assert stack.run("apply", saved, "--auto-approve").code == 0
    before = [stack.firing(), stack.shown()]
    assert [len(found) for found in before] == [3, 2]
    again = stack.run("apply", saved, "--auto-approve")
    assert (again.code, again.out.startswith("Already applied")) == (0, True), again
    assert [stack.firing(), stack.shown()] == before
    assert "No changes." in stack.plan()


def test_a_silence_that_prevents_its_clear_stays(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).silence(disk=quiet(lifecycle={"prevent_clear": True}))
    stack.apply("1 created")
    stack.silence(disk=quiet(lifecycle={"prevent_clear": True}, state="cleared"))
    assert "has lifecycle.prevent_clear" in stack.run("plan").err
    stack.silence(disk=quiet(state="cleared")).apply("1 cleared")
    assert stack.shown() == []


def test_a_restart_keeps_silences_and_apply_doubles_none(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).silence(disk=quiet())
    stack.apply("1 created")
    before = stack.shown()
    one.restart()
    assert stack.shown() == before
    assert "No changes." in stack.plan()
    one.restart(kill=True)
    assert stack.shown() == before
    assert stack.run("apply", "--auto-approve").code == 0
    assert stack.shown() == before


def test_a_silence_is_posted_to_one_instance_and_stands_at_both(two: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, two).silence(disk=quiet())
    stack.apply("1 created")
    assert [[each["id"] for each in stack.shown(0)]] * 2 == [[each["id"] for each in stack.shown(n)] for n in (0, 1)]
    stack.silence(disk=quiet(comment="later")).apply("1 updated")
    assert [len(stack.shown(peer)) for peer in (0, 1)] == [1, 1]
    assert "No changes." in stack.plan()
    two.restart(kill=True)
    two.until(lambda: len(stack.shown(0)) == 1)
    assert "No changes." in stack.plan()
    assert stack.run("destroy", "--auto-approve").code == 0
    assert [stack.shown(peer) for peer in (0, 1)] == [[], []]


@pytest.mark.parametrize("fault", ["store-then-cut", "cut", "status=503"])
def test_an_answer_that_is_lost_leaves_one_silence_as_declared(tmp_path: Path, fault: str) -> None:
    with target("emulator", tmp_path) as servers:
        emulator = Emulator(servers.urls[0].removesuffix("/alertmanager"))
        stack = Stack(tmp_path, servers)
        stack.settings = {"visible_within": "200ms"}
        for comment, done in (("first", "2 created"), ("then", "2 updated")):
            emulator.fault(f"am-silence-put:{fault},nth=1", "am-silence-list:status=503,nth=1")
            stack.silence(disk=quiet(comment=comment), network=quiet(comment=comment)).apply(done)
            assert len(stack.shown()) == 2
            assert "No changes." in stack.plan()
        emulator.fault(f"am-silence-expire:{fault},nth=1")
        stack.silence(network=quiet(comment="then")).apply("1 cleared")
        assert ["alertmanager_silence.network" in each["comment"] for each in stack.shown()] == [True]


def test_a_server_that_keeps_annotations_of_silences_shows_the_comment_alone(tmp_path: Path) -> None:
    with running(Settings(alertmanager_version="0.32.0")) as url, webhook_receiver() as hook:
        stack = Stack(tmp_path, Emulated(Emulator(url), 1, hook)).silence(disk=quiet())
        stack.apply("1 created")
        [silence] = requests.get(f"{url}/alertmanager/api/v2/silences", timeout=10).json()
        assert silence["comment"] == "the disk is replaced"
        assert silence["annotations"]["reconciler_address"] == "alertmanager_silence.disk"
        assert "No changes." in stack.plan()
        stack.silence(disk=quiet(comment="later")).apply("1 updated")
        stack.silence().apply("1 cleared")


def test_the_status_shows_a_silence_beside_the_alert_it_suppresses(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one)
    stack.silences = {"maintenance": quiet(matchers=[f'reconciler_stack="{stack.name}"', 'alertname="Quiet"'])}
    stack.declare(Loud=down(), Quiet=down()).apply("3 created")
    [silence] = stack.shown()
    stack.silences["later"] = quiet()
    stack.declare(Loud=down(), Quiet=down())

    def found() -> dict[str, tuple[str, list[str] | None]]:
        alarms = json.loads(stack.run("status", "--format", "json").out)["alarms"]
        return {alarm["name"]: (alarm["state"], alarm["suppressed_by"]) for alarm in alarms}

    suppressed = ("suppressed", [f"silenced by {silence['id']}"])
    one.until(lambda: found()["Quiet"] == suppressed)
    assert found() == {
        "Loud": ("firing", []),
        "Quiet": suppressed,
        "maintenance": ("in force", None),
        "later": ("not in force", None),
    }
    shown = stack.run("status").out
    assert f"silenced by {silence['id']}" in shown
    assert shown.endswith("\n2 alarms fire (2 declared), 1 suppressed, 1 silence in force, no drift.\n")
