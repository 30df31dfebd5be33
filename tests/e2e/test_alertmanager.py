"""Whole commands against Alertmanager: the emulator and the real server, alone and as a cluster of two."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.cli.run_cli import reconciler
from tests.e2e.alertmanager_stack import Stack, down, quiet
from tests.emulator.alertmanager.target import KINDS, Emulated, Target, target
from tests.emulator.handle import Emulator
from tests.servers.alertmanager import amtool
from tests.servers.webhook import webhook_receiver


@pytest.fixture(scope="module", params=KINDS)
def one(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One server alone; each test has a stack of its own there."""
    with target(request.param, tmp_path_factory.mktemp("alone")) as made:
        yield made


@pytest.fixture(scope="module", params=KINDS)
def two(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A cluster of two."""
    with target(request.param, tmp_path_factory.mktemp("cluster"), 2) as made:
        yield made


def test_a_declared_alert_fires_and_is_sent_once(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).declare(Down=down(generator_url="https://example.com/rule?x=1"))
    stack.apply("1 created")
    [alert] = before = stack.firing()
    assert alert["labels"] == {
        "alertname": "Down",
        "instance": "web-1",
        "severity": "critical",
        "reconciler_stack": stack.name,
        "reconciler_address": "alertmanager_alert.Down",
    }
    assert alert["annotations"]["summary"] == "it is down"
    assert alert["generatorURL"] == "https://example.com/rule?x=1"
    assert stack.plan().endswith("No changes. 1 alarm is as declared.\n")
    assert stack.run("apply", "--auto-approve").code == 0
    assert stack.firing() == before


def test_amtool_shows_the_alert_that_was_pushed(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).declare(Down=down(generator_url="https://example.com/rule"))
    stack.apply("1 created")
    query = ("alert", "query", "Down", f"reconciler_stack={stack.name}", "--output=json")
    [alert] = json.loads(amtool(one.urls[0], *query))
    assert (alert["labels"]["severity"], alert["annotations"]["summary"]) == ("critical", "it is down")
    assert (alert["generatorURL"], alert["status"]["state"]) == ("https://example.com/rule", "active")
    stack.declare().apply("1 cleared")
    assert json.loads(amtool(one.urls[0], *query)) == []


def test_another_annotation_is_an_update_of_the_same_firing(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).declare(Down=down())
    stack.apply("1 created")
    [before] = stack.firing()
    stack.declare(Down=down(summary="it is still down")).apply("1 updated")
    [after] = stack.firing()
    assert after["annotations"]["summary"] == "it is still down"
    assert (after["fingerprint"], after["startsAt"]) == (before["fingerprint"], before["startsAt"])
    assert "No changes." in stack.plan()


def test_an_update_says_that_nobody_is_notified_of_it(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).declare(Down=down())
    stack.apply("1 created")
    plan = stack.declare(Down=down(summary="another")).plan()
    assert "will be updated: annotations.summary differs; nobody is notified of an update" in plan


def test_a_name_that_the_server_rejects_is_an_error_of_the_plan(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).declare(Down={"labels": {"my-label": "x"}}, Slow={"annotations": {"größe": "1"}})
    done = stack.run("plan")
    assert done.code == 1
    assert "alertmanager_alert.Down: the server (version 0.25) rejects the name 'my-label'" in done.err
    assert "alertmanager_alert.Slow: the server (version 0.25) rejects the name 'größe'" in done.err
    assert f"{stack.directory / 'stack.yaml'}:1" in done.err


def test_a_newer_server_takes_any_name(tmp_path: Path) -> None:
    with running(Settings(alertmanager_version="0.28.0")) as url, webhook_receiver() as hook:
        stack = Stack(tmp_path, Emulated(Emulator(url), 1, hook))
        stack.declare(Down={"labels": {"my-label": "x"}, "annotations": {"größe": "1"}}).apply("1 created")
        assert [alert["labels"]["my-label"] for alert in stack.firing()] == ["x"]
        assert "No changes." in stack.plan()


def test_with_marks_as_annotations_an_alert_has_the_labels_that_are_declared(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one)
    labels = {"alertname": "Real", "team": stack.name}
    stack.declare(Down={"labels": labels}).apply("1 created")
    stack.settings = {"marks": "annotations"}
    stack.declare(Down={"labels": labels}, Other={"labels": {**labels, "id": "2"}}).apply("1 created, 1 replaced")
    alerts = one.query(f'team="{stack.name}"')
    assert [alert["labels"] for alert in sorted(alerts, key=lambda each: len(each["labels"]))] == [
        labels,
        {**labels, "id": "2"},
    ]
    assert "No changes. 2 alarms are as declared." in stack.plan()
    stack.declare(Down={"labels": labels, "annotations": {"a": "b"}}).apply("1 updated, 1 cleared")
    assert [alert["annotations"]["a"] for alert in one.query(f'team="{stack.name}"')] == ["b"]
    assert stack.run("destroy", "--auto-approve").code == 0
    assert one.query(f'team="{stack.name}"') == []


def test_with_marks_as_annotations_an_alert_of_another_is_never_overwritten_or_cleared(
    one: Target, tmp_path: Path
) -> None:
    stack, other = (Stack(tmp_path, one) for _ in range(2))
    stack.settings = other.settings = {"marks": "annotations"}
    labels = {"alertname": "Real", "team": stack.name}
    foreign = {"labels": labels, "annotations": {"from": "Prometheus"}, "endsAt": one.time(3_600)}
    one.push(foreign)
    done = stack.declare(Down={"labels": labels}).run("apply", "--auto-approve")
    assert done.code != 0
    assert "an active alert with the same labels is unmanaged" in done.out + done.err
    assert [alert["annotations"] for alert in one.query(f'team="{stack.name}"')] == [foreign["annotations"]]
    one.push({**foreign, "endsAt": one.time()})
    stack.apply("1 created")
    done = other.declare(Down={"labels": labels}).run("apply", "--auto-approve")
    assert f"an active alert with the same labels belongs to the stack {stack.name}" in done.out + done.err
    assert "No changes." in stack.plan()
    assert other.run("destroy", "--auto-approve").code == 0
    assert len(one.query(f'team="{stack.name}"')) == 1


def test_another_label_is_another_alert_in_place_of_the_old_one(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).declare(Down=down())
    stack.apply("1 created")
    stack.declare(Down=down("warning")).apply("1 replaced")
    assert [alert["labels"]["severity"] for alert in stack.firing()] == ["warning"]
    assert "No changes." in stack.plan()


def test_a_longer_and_then_a_shorter_timeout_both_take_effect(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).declare(Down=down())
    stack.apply("1 created")
    ends = []
    for timeout, done in (("2h", "1 updated"), ("10m", "1 replaced")):
        # A clear must come before the push, whatever is asked for: both are of the same labels.
        stack.declare(Down=down(timeout=timeout, lifecycle={"create_before_clear": True})).apply(done)
        ends += [alert["endsAt"] for alert in stack.firing()]
        assert "No changes." in stack.plan()
    assert len(ends) == 2
    assert one.time(7_000)[:16] <= ends[0][:16]
    assert ends[1][:16] <= one.time(600)[:16]


def test_a_shorter_timeout_is_one_request_and_notifies_nobody(tmp_path: Path) -> None:
    with target("emulator", tmp_path) as servers:
        stack = Stack(tmp_path, servers).declare(Down=down())
        stack.apply("1 created")
        servers.wait(2)
        assert len(servers.until_notified("Down", 1)) == 1
        emulator = Emulator(servers.urls[0].removesuffix("/alertmanager"))
        posts = [each for each in emulator.requests() if each["method"] == "POST"]
        stack.declare(Down=down(timeout="20m")).apply("1 replaced")
        assert len([each for each in emulator.requests() if each["method"] == "POST"]) == len(posts) + 1
        servers.wait(10)
        assert len(servers.notifications("Down")) == 1


def test_an_alert_near_its_end_is_renewed_with_all_it_carries(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).declare(Down=down(timeout="10m"))
    stack.apply("1 created")
    [before] = stack.firing()
    stack.declare(Down=down(timeout="10m", lifecycle={"renew_before": "599999ms"})).apply("1 renewed")
    [after] = stack.firing()
    assert (after["startsAt"], after["labels"]) == (before["startsAt"], before["labels"])
    assert after["annotations"]["summary"] == "it is down"
    assert after["endsAt"] > before["endsAt"]


def test_what_is_declared_no_more_is_cleared_and_the_others_stay(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).declare(Down=down(), Slow=down())
    stack.apply("2 created")
    stack.declare(Slow=down()).apply("1 cleared")
    assert [alert["labels"]["alertname"] for alert in stack.firing()] == ["Slow"]
    assert stack.run("destroy", "--auto-approve").code == 0
    assert stack.firing() == []


def test_stacks_and_foreign_alerts_with_equal_labels_leave_each_other_alone(one: Target, tmp_path: Path) -> None:
    labels = {"alertname": "Equal", "severity": "critical", "instance": "web-1"}
    one.push({"labels": labels, "startsAt": one.time(-60), "endsAt": one.time(3_600)})
    first, second = (Stack(tmp_path, one).declare(Equal=down()) for _ in range(2))
    first.apply("1 created")
    second.apply("1 created")
    assert len(one.query('alertname="Equal"')) == 3
    second.declare().apply("1 cleared")
    assert "No changes." in first.plan()
    assert first.run("destroy", "--auto-approve").code == 0
    [left] = one.query('alertname="Equal"')
    assert left["labels"] == labels


@pytest.mark.parametrize("kill", [False, True], ids=["SIGTERM", "SIGKILL"])
def test_what_a_restart_lost_is_told_as_such_and_raised_again(one: Target, tmp_path: Path, kill: bool) -> None:
    stack = Stack(tmp_path, one)
    stack.silences = {"disk": quiet()}
    stack.declare(Down=down()).apply("2 created")
    silences = stack.shown()
    if kill:
        one.restart()  # in order, which writes the silence to its disk
        stack.apply("1 created")
    one.restart(kill=kill)
    assert stack.firing() == []
    assert "alertmanager_alert.Down will be created: lost by a restart of the service at " in stack.plan()
    assert "lost by a restart" in stack.run("plan", "--refresh-only").out
    stack.apply("1 created")
    assert len(stack.firing()) == 1
    assert stack.shown() == silences
    assert "No changes." in stack.plan()


def test_a_silence_that_a_killed_server_had_not_written_is_told_as_lost_and_posted_again(
    one: Target, tmp_path: Path
) -> None:
    stack = Stack(tmp_path, one)
    one.restart()
    stack.silence(disk=quiet()).apply("1 created")
    one.restart(kill=True)
    assert stack.shown() == []
    assert "alertmanager_silence.disk will be created: lost by a restart of the service at " in stack.plan()
    stack.apply("1 created")
    assert len(stack.shown()) == 1


def test_an_alert_that_somebody_cleared_is_told_from_one_that_expired(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one).declare(Cleared=down(), Expired=down(timeout="4s"))
    stack.apply("2 created")
    [cleared] = [alert for alert in stack.firing() if alert["labels"]["alertname"] == "Cleared"]
    one.push({"labels": cleared["labels"], "endsAt": one.time()})
    while stack.firing():
        time.sleep(0.1)
    plan = stack.plan()
    assert "alertmanager_alert.Cleared will be created: cleared, not by this stack's ledger" in plan
    assert "alertmanager_alert.Expired will be created: expired at " in plan
    assert "4s after it started" in plan
    assert stack.run("destroy", "--auto-approve").code == 0
    stack.declare(Cleared=down())
    assert "cleared, not by" in stack.plan()


def test_an_alert_that_the_server_refuses_fails_alone_and_the_others_fire(one: Target, tmp_path: Path) -> None:
    good = {f"good{number}": down() for number in range(3)}
    stack = Stack(tmp_path, one).declare(bad=down(generator_url="https://example.com/%zz"), **good)
    done = stack.run("apply", "--auto-approve")
    assert done.code == 4
    assert "0.generatorURL in body must be of type uri" in done.out
    assert sorted(alert["labels"]["alertname"] for alert in stack.firing()) == sorted(good)
    stack.declare(bad=down(), **good).apply("1 created")
    assert len(stack.firing()) == 4


def test_a_guard_of_severities_counts_the_label(one: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, one)
    stack.severities = ["warning"]
    done = stack.declare(Down=down()).run("apply", "--auto-approve")
    assert done.code == 1
    assert "alertmanager_alert.Down has severity critical, and guards.severities allows warning" in done.err
    assert stack.firing() == []
    stack.declare(Down=down("warning")).apply("1 created")


def test_every_alert_is_at_both_instances_of_a_cluster(two: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, two).declare(Down=down())
    stack.apply("1 created")
    assert [len(stack.firing(peer)) for peer in (0, 1)] == [1, 1]
    assert stack.plan().endswith("No changes. 1 alarm is as declared.\n")
    assert stack.run("destroy", "--auto-approve").code == 0
    assert [len(stack.firing(peer)) for peer in (0, 1)] == [0, 0]


def test_an_alert_that_one_instance_lost_is_drift_that_names_it_and_apply_heals_it(two: Target, tmp_path: Path) -> None:
    stack = Stack(tmp_path, two).declare(Down=down())
    stack.apply("1 created")
    two.restart()
    assert [len(stack.firing(peer)) for peer in (0, 1)] == [0, 1]
    assert f"alertmanager_alert.Down will be updated: not firing at {two.urls[0]}" in stack.plan()
    assert "not firing at" in stack.run("plan", "--refresh-only").out
    stack.apply("1 updated")
    assert [len(stack.firing(peer)) for peer in (0, 1)] == [1, 1]
    assert "No changes." in stack.plan()


@pytest.mark.slow
def test_a_plan_of_10_000_alerts_gets_them_from_the_real_server_at_once(tmp_path: Path) -> None:
    with target("real", tmp_path / "server") as servers:
        each = [f"host-{number}" for number in range(10_000)]
        stack = Stack(tmp_path, servers)
        stack.declare(Down={"for_each": each, "labels": {"instance": "${each.value}"}, "timeout": "1h"})
        stack.apply("10,000 created")
        done = stack.run("plan", "--log-level", "debug")
        assert done.out.endswith("No changes. 10,000 alarms are as declared.\n")
        asked = re.findall(r"(GET|POST|DELETE) http://[^ ]*/api/v2/([a-z]+)", done.err)
        assert sorted(asked) == [("GET", "alerts"), ("GET", "silences")]


@pytest.mark.parametrize("fault", ["store-then-cut", "store-then-500", "cut", "status=500", "status=503"])
def test_an_answer_that_is_lost_leaves_one_alert_as_declared(tmp_path: Path, fault: str) -> None:
    with target("emulator", tmp_path) as servers:
        emulator = Emulator(servers.urls[0].removesuffix("/alertmanager"))
        stack = Stack(tmp_path, servers).declare(Down=down(), Slow=down())
        emulator.fault(f"am-push:{fault},nth=1", "am-query:status=503,nth=1")
        stack.apply("2 created")
        assert len(stack.firing()) == 2
        assert "No changes." in stack.plan()
        stack.declare(Slow=down())
        emulator.fault(f"am-push:{fault},nth=1")
        stack.apply("1 cleared")
        assert [alert["labels"]["alertname"] for alert in stack.firing()] == ["Slow"]


DRILL = {
    "stack": "shop",
    "providers": {
        "alertmanager": {"endpoints": ["https://am-1.invalid", "https://am-2.invalid"], "path_prefix": "/am"}
    },
    "drills": {
        "outage": {
            "resources": {"alertmanager_alert": {"Down": {"labels": {"severity": "critical"}}}},
            "steps": [{"at": "0s", "raise": "alertmanager_alert.Down"}, {"at": "20s", "clear": "all"}],
        }
    },
}


def test_a_drill_raises_labelled_alerts_and_is_rehearsed_without_a_server(one: Target, tmp_path: Path) -> None:
    (tmp_path / "stack.yaml").write_text(json.dumps(DRILL))
    done = reconciler("drill", "run", "outage", tmp_path, "--rehearse", "--speed", "60")
    assert done.code == 0, done.out + done.err
    assert "1 alarm raised, all cleared" in done.out
    steps = [{"at": "0s", "raise": "alertmanager_alert.Down"}, {"at": "1s", "clear": "all"}]
    outage = {**DRILL["drills"]["outage"], "steps": steps}  # type: ignore[index]
    block = {"alertmanager": {"endpoints": list(one.urls), "visible_within": "1s"}}
    (tmp_path / "stack.yaml").write_text(json.dumps({**DRILL, "providers": block, "drills": {"outage": outage}}))
    assert reconciler("drill", "run", "outage", tmp_path, "--yes").code == 0
    assert one.query('drill="outage"') == []
