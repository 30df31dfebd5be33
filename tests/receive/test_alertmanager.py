"""The real Alertmanager sends to a receiver: each course that a notification takes ends in the right word.

Each holds with an Alertmanager alone and with two that know each other.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from reconciler.checks.delivery import Awaited, DeliveryOutcome
from reconciler.cli.command import ExitCode
from tests.cli.run_cli import reconciler
from tests.receive.alertmanager_site import CLOCK, Site, alert, config, fired, gateway, push, shown, until, wait
from tests.receive.receivers import TOKEN
from tests.servers.alertmanager import alertmanager, alertmanager_cluster


@pytest.fixture(scope="module", params=["alone", "two"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    made, steady = Site(directory), Site(tmp_path_factory.mktemp("steady"))
    made.start()
    steady.start()
    made.steady = steady
    with gateway(made.port, steady.port) as url, ExitStack() as running:
        if request.param == "two":
            # Long enough for the second to hear of what the first has sent, however busy the machine is.
            cluster = alertmanager_cluster(directory / "am", config(made.port, url), peer_timeout="5s")
            made.servers = running.enter_context(cluster)
        else:
            made.servers = [running.enter_context(alertmanager(directory / "am", config(made.port, url)))]
        made.pushed_to_steady = push(made, alert("slower", "w1", route="slower_than_the_sender_waits"))
        yield made
    made.stop()
    steady.stop()


def test_an_alert_that_is_notified_and_so_is_its_end_is_delivered(site: Site) -> None:
    proof = site.proof(within="20s", resolved=True, receiver="oncall", at_most=1)
    assert wait(proof, fired("d1", push(site, alert("delivered", "d1")))).status == "delivered"
    cleared = push(site, alert("delivered", "d1", ended=True))
    assert wait(proof, Awaited("resolved", frozenset(["d1"]), cleared)).status == "delivered"
    assert [each.status for each in proof.conclude()] == ["delivered", "delivered"]


def test_alerts_that_are_grouped_are_each_delivered_by_one_notification(site: Site) -> None:
    proof = site.proof(within="20s", at_most=1)
    since = push(site, alert("grouped", "g1"), alert("grouped", "g2"))
    assert [wait(proof, fired(key, since)).status for key in ("g1", "g2")] == ["delivered", "delivered"]
    assert site.deliveries("g1")[0]["id"] == site.deliveries("g2")[0]["id"]


def test_an_alert_that_is_notified_again_is_doubled(site: Site) -> None:
    proof = site.proof(within="20s", at_most=1)
    since = push(site, alert("again", "a1", route="again"))
    wait(proof, fired("a1", since))
    until(lambda: sum(each["count"] for each in site.deliveries("a1")) > 1)
    [outcome] = proof.conclude()
    assert outcome.status == "doubled", outcome.reason


def test_an_alert_that_is_silenced_proves_nothing(site: Site) -> None:
    now = datetime.now(UTC)
    silence = {
        "matchers": [{"name": "alertname", "value": "silenced", "isRegex": False}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=5)).isoformat(),
        "createdBy": "test",
        "comment": "test",
    }
    requests.post(f"{site.servers[0].url}/api/v2/silences", json=silence, timeout=10).raise_for_status()
    for server in site.servers:
        until(lambda server=server: requests.get(f"{server.url}/api/v2/silences", timeout=10).json())
    proof = site.proof(within="1s", receiver="oncall")
    assert wait(proof, fired("s1", push(site, alert("silenced", "s1")))).status == "missing"
    found = shown(site.servers[-1], "s1")
    assert found is not None
    proof.suppressed(f"silenced by {found['status']['silencedBy'][0]}")
    [outcome] = proof.conclude()
    assert outcome.status == "not provable"
    assert "silenced by" in outcome.reason


def test_an_alert_that_is_inhibited_proves_nothing(site: Site) -> None:
    push(site, alert("storm", "i0"))
    for server in site.servers:
        until(lambda server=server: shown(server, "i0"))
    proof = site.proof(within="1s", receiver="oncall")
    since = push(site, alert("inhibited", "i1", inhibited_by="storm"))
    assert wait(proof, fired("i1", since)).status == "missing"
    found = shown(site.servers[-1], "i1")
    assert found is not None
    assert found["status"]["state"] == "suppressed"
    proof.suppressed(f"inhibited by {found['status']['inhibitedBy'][0]}")
    [outcome] = proof.conclude()
    assert (outcome.status, "inhibited by" in outcome.reason) == ("not provable", True)


def late(site: Site, key: str, name: str, route: str) -> DeliveryOutcome:
    """What becomes of an alert that arrives, but not within its time."""
    proof = site.proof(within="300ms", receiver=route)
    assert wait(proof, fired(key, push(site, alert(name, key, route=route)))).status != "delivered"
    until(lambda: site.deliveries(key))
    [outcome] = proof.conclude()
    return outcome


def test_an_alert_that_its_group_waits_with_for_too_long_is_late(site: Site) -> None:
    outcome = late(site, "p1", "delayed", "patient")
    assert (outcome.status, (outcome.after or 0) >= 1_000) == ("late", True), outcome.reason


def test_an_alert_that_the_receiver_refuses_at_first_is_late_or_in_time_as_its_limit_says(site: Site) -> None:
    proof = site.proof(within="20s", at_most=1)
    since = CLOCK.now()
    outcome = late(site, "e1", "refused", "refusing")
    assert outcome.status == "late", outcome.reason
    assert wait(proof, fired("e1", since)).status == "delivered", "the sender tries again after 500"


def test_an_alert_that_is_slow_to_arrive_is_late(site: Site) -> None:
    assert late(site, "l1", "slow", "slow_to_deliver").status == "late"


def test_an_alert_whose_receiver_answers_slowly_is_delivered_once(site: Site) -> None:
    proof = site.proof(within="20s", at_most=1)
    wait(proof, fired("l2", push(site, alert("slow_answer", "l2", route="slow_to_answer"))))
    assert [each.status for each in proof.conclude()] == ["delivered"]


def test_an_alert_that_goes_to_another_receiver_is_missing_at_the_one_expected(site: Site) -> None:
    proof = site.proof(within="1s", receiver="oncall")
    wait(proof, fired("r1", push(site, alert("routed", "r1", route="backup"))))
    [outcome] = proof.conclude()
    assert (outcome.status, "(but at backup)" in outcome.reason) == ("missing", True)


def test_an_alert_that_was_delivered_although_the_sender_was_told_500_is_doubled(site: Site) -> None:
    proof = site.proof(within="20s", at_most=1)
    wait(proof, fired("f1", push(site, alert("flaky", "f1", route="flaky"))))
    until(lambda: sum(each["count"] for each in site.deliveries("f1")) > 1)
    [outcome] = proof.conclude()
    assert outcome.status == "doubled", outcome.reason


def test_an_alert_that_waits_for_a_receiver_that_is_down_proves_nothing_then_and_arrives_later(site: Site) -> None:
    site.stop()
    proof = site.proof(within="800ms")
    outcome = wait(proof, fired("b1", push(site, alert("restarted", "b1"))))
    assert (outcome.status, "could not be queried" in outcome.reason) == ("not provable", True)
    site.start()
    until(lambda: site.deliveries("b1"))
    [outcome] = proof.conclude()
    assert (outcome.status, "the receiver was not running" in outcome.reason) == ("not provable", True)
    assert outcome.after is not None
    assert outcome.after > 800


def test_an_alert_that_the_sender_left_out_proves_nothing(site: Site) -> None:
    proof = site.proof(within="1s")
    since = push(site, alert("few", "t1", route="few"), alert("few", "t2", route="few"))
    found = [wait(proof, fired(key, since)).status for key in ("t1", "t2")]
    assert sorted(found) == ["delivered", "not provable"]


STACK = """\
stack: path
providers:
  alertmanager: {{endpoints: {endpoints}}}
  receiver: {{endpoint: "http://127.0.0.1:{port}", auth: {{token: {token}}}}}
checks:
  page:
    canary: {{type: alertmanager_alert, labels: {{route: backup, team: {team}}}}}
    expect: {{delivered: {{within: {within}, resolved: true, receiver: backup, at_most: 1}}}}
"""


def canary(site: Site, directory: Path, team: str, within: str) -> dict[str, Any]:
    """The result of a check with a canary of Alertmanager."""
    endpoints = json.dumps([server.url for server in site.servers])
    stack = STACK.format(endpoints=endpoints, port=site.port, token=TOKEN, team=team, within=within)
    (directory / "stack.yaml").write_text(stack)
    done = reconciler("check", directory, "--format", "json")
    [check] = json.loads(done.out)["checks"]
    return {"code": done.code, **check}


def test_a_canary_of_alertmanager_is_delivered_and_so_is_its_end(site: Site, tmp_path: Path) -> None:
    found = canary(site, tmp_path, "delivered", "20s")
    assert (found["code"], found["delivery"]["status"]) == (ExitCode.DONE, "delivered"), found


def test_a_canary_of_alertmanager_that_is_inhibited_proves_nothing(site: Site, tmp_path: Path) -> None:
    push(site, alert("storm", "i0"))
    for server in site.servers:
        until(lambda server=server: shown(server, "i0"))
    found = canary(site, tmp_path, "quiet", "1s")
    assert (found["code"], found["verdict"]) == (ExitCode.ERROR, "unknown"), found
    assert "inhibited" in found["reason"]


def test_an_alert_whose_receiver_answers_later_than_the_sender_waits_is_doubled(site: Site) -> None:
    steady = site.steady
    assert steady is not None
    proof = steady.proof(within="20s", at_most=1)
    wait(proof, fired("w1", site.pushed_to_steady))
    until(lambda: sum(each["count"] for each in steady.deliveries("w1")) > 1)
    [outcome] = proof.conclude()
    assert outcome.status == "doubled", outcome.reason


def test_an_alert_whose_only_alertmanager_is_killed_before_it_notifies_is_missing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.start()
    with alertmanager(tmp_path / "am", config(site.port)) as server:
        site.servers = [server]
        proof = site.proof(within="1s", receiver="doomed")
        since = push(site, alert("killed", "k1", route="doomed"))
        server.kill()
        wait(proof, fired("k1", since))
        server.start()
        [outcome] = proof.conclude()
        assert outcome.status == "missing", outcome.reason
    site.stop()


def test_two_alertmanagers_notify_once_and_if_one_is_killed_the_other_does(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.start()
    with alertmanager_cluster(tmp_path / "am", config(site.port), peer_timeout="2s") as servers:
        site.servers = servers
        proof = site.proof(within="20s", at_most=1)
        assert wait(proof, fired("c1", push(site, alert("cluster", "c1")))).status == "delivered"
        time.sleep(2.5)  # the second waits two seconds for the first before it would notify too
        assert [each.status for each in proof.conclude()] == ["delivered"]
        since = push(site, alert("survives", "c2", route="patient"))
        servers[0].kill()
        assert wait(site.proof(within="20s", receiver="patient"), fired("c2", since)).status == "delivered"
    site.stop()
