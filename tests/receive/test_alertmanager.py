"""The real Alertmanager sends to a receiver: each course that a notification takes ends in the right word."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import requests

from reconciler.checks.delivery import Awaited, DeliveryOutcome, DeliveryProof
from reconciler.checks.expectation import Delivered
from reconciler.core.clock import Clock
from reconciler.providers.protocol import ProviderContext
from reconciler.providers.receiver import PROVIDER
from reconciler.providers.receiver.provider import ReceiverProvider
from reconciler.receive.server import running_receiver
from reconciler.receive.settings import Settings
from reconciler.session.workspace import SystemClock
from tests.receive.receivers import TOKEN
from tests.servers.alertmanager import Alertmanager, alertmanager, alertmanager_cluster
from tests.servers.ports import free_port

CLOCK: Clock = SystemClock()
WAIT = "200ms"


class Site:
    """A receiver that can be stopped and started, and an Alertmanager with routes to it by the label ``route``."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._db = directory / "receiver.db"
        self._running = ExitStack()
        settings = PROVIDER.settings.model_validate(
            {"endpoint": f"http://127.0.0.1:{self.port}", "auth": {"token": TOKEN}}
        )
        provider = PROVIDER.open("receiver", settings, ProviderContext("test", CLOCK.now))
        assert isinstance(provider, ReceiverProvider)
        self.provider = provider
        self.alertmanager: Alertmanager

    def start(self) -> None:
        self._running.enter_context(running_receiver(Settings(db=self._db, token=TOKEN), port=self.port))

    def stop(self) -> None:
        self._running.close()

    def proof(self, **expected: Any) -> DeliveryProof:
        return DeliveryProof(Delivered.model_validate(expected), self.provider.deliveries, CLOCK)

    def deliveries(self, key: str) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{self.port}/deliveries"
        answer = requests.get(url, params={"key": key}, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
        return list(answer.json()["deliveries"])


def config(port: int, flaky: str = "http://127.0.0.1:9") -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}/alertmanager"
    hooks = {
        "oncall": {"url": url},
        "backup": {"url": url},
        "few": {"url": url, "max_alerts": 1},
        "again": {"url": url},
        "flaky": {"url": flaky},
    }
    routes = [{"receiver": name, "matchers": [f"route={name}"]} for name in hooks if name != "oncall"]
    routes[2] |= {"group_interval": WAIT, "repeat_interval": "300ms"}
    return {
        "route": {
            "receiver": "oncall",
            "group_by": ["alertname"],
            "group_wait": WAIT,
            "group_interval": "500ms",
            "repeat_interval": "1h",
            "routes": routes,
        },
        "receivers": [
            {"name": name, "webhook_configs": [{"send_resolved": True, **hook}]} for name, hook in hooks.items()
        ],
    }


@contextmanager
def answering_500_once(port: int) -> Iterator[str]:
    """A gateway before a receiver that loses the first answer."""
    lost: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = requests.post(f"http://127.0.0.1:{port}/alertmanager", data=body, timeout=10)
            self.send_response(answer.status_code if lost else 500)
            lost.append(answer.status_code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    made = Site(directory)
    made.start()
    with answering_500_once(made.port) as flaky, alertmanager(directory / "am", config(made.port, flaky)) as server:
        made.alertmanager = server
        yield made
    made.stop()


def alert(name: str, key: str, ended: bool = False, **labels: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    ends = now - timedelta(milliseconds=1) if ended else now + timedelta(minutes=5)
    return {
        "labels": {"alertname": name, "key": key, "reconciler_stack": "checkout", **labels},
        "annotations": {"reconciler_key": key},
        "endsAt": ends.isoformat(),
    }


def push(server: Alertmanager, *alerts: dict[str, Any]) -> int:
    """Send alerts; the time before."""
    since = CLOCK.now()
    requests.post(f"{server.url}/api/v2/alerts", json=alerts, timeout=10).raise_for_status()
    return since


def fired(key: str, since: int) -> Awaited:
    return Awaited("firing", frozenset([key]), since)


def wait(proof: DeliveryProof, awaited: Awaited) -> DeliveryOutcome:
    outcome = proof.wait(awaited, Event())
    assert outcome is not None
    return outcome


def test_an_alert_that_is_notified_and_so_is_its_end_is_delivered(site: Site) -> None:
    proof = site.proof(within="20s", resolved=True, receiver="oncall", at_most=1)
    assert wait(proof, fired("d1", push(site.alertmanager, alert("delivered", "d1")))).status == "delivered"
    cleared = push(site.alertmanager, alert("delivered", "d1", ended=True))
    assert wait(proof, Awaited("resolved", frozenset(["d1"]), cleared)).status == "delivered"
    assert [each.status for each in proof.conclude()] == ["delivered", "delivered"]


def test_alerts_that_are_grouped_are_each_delivered_by_one_notification(site: Site) -> None:
    proof = site.proof(within="20s", at_most=1)
    since = push(site.alertmanager, alert("grouped", "g1"), alert("grouped", "g2"))
    assert [wait(proof, fired(key, since)).status for key in ("g1", "g2")] == ["delivered", "delivered"]
    assert site.deliveries("g1")[0]["id"] == site.deliveries("g2")[0]["id"]


def test_an_alert_that_is_notified_again_is_doubled(site: Site) -> None:
    proof = site.proof(within="20s", at_most=1)
    since = push(site.alertmanager, alert("again", "a1", route="again"))
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
    requests.post(f"{site.alertmanager.url}/api/v2/silences", json=silence, timeout=10).raise_for_status()
    proof = site.proof(within="1s", receiver="oncall")
    assert wait(proof, fired("s1", push(site.alertmanager, alert("silenced", "s1")))).status == "missing"
    shown = requests.get(f"{site.alertmanager.url}/api/v2/alerts", params={"filter": "key=s1"}, timeout=10).json()
    proof.suppressed(f"silenced by {shown[0]['status']['silencedBy'][0]}")
    [outcome] = proof.conclude()
    assert outcome.status == "not provable"
    assert "silenced by" in outcome.reason


def test_an_alert_that_goes_to_another_receiver_is_missing_at_the_one_expected(site: Site) -> None:
    proof = site.proof(within="1s", receiver="oncall")
    wait(proof, fired("r1", push(site.alertmanager, alert("routed", "r1", route="backup"))))
    [outcome] = proof.conclude()
    assert (outcome.status, "(but at backup)" in outcome.reason) == ("missing", True)


def test_an_alert_that_was_delivered_although_the_sender_was_told_500_is_doubled(site: Site) -> None:
    proof = site.proof(within="20s", at_most=1)
    wait(proof, fired("f1", push(site.alertmanager, alert("flaky", "f1", route="flaky"))))
    until(lambda: sum(each["count"] for each in site.deliveries("f1")) > 1)
    [outcome] = proof.conclude()
    assert outcome.status == "doubled", outcome.reason


def test_an_alert_that_waits_for_a_receiver_that_is_down_proves_nothing_then_and_arrives_later(site: Site) -> None:
    site.stop()
    proof = site.proof(within="800ms")
    outcome = wait(proof, fired("b1", push(site.alertmanager, alert("restarted", "b1"))))
    assert (outcome.status, "could not be queried" in outcome.reason) == ("not provable", True)
    site.start()
    until(lambda: site.deliveries("b1"))
    [outcome] = proof.conclude()
    assert (outcome.status, "the receiver was not running" in outcome.reason) == ("not provable", True)
    assert outcome.after is not None
    assert outcome.after > 800


def test_an_alert_that_the_sender_left_out_proves_nothing(site: Site) -> None:
    proof = site.proof(within="1s")
    since = push(site.alertmanager, alert("few", "t1", route="few"), alert("few", "t2", route="few"))
    found = [wait(proof, fired(key, since)).status for key in ("t1", "t2")]
    assert sorted(found) == ["delivered", "not provable"]


def test_two_alertmanagers_notify_once(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.start()
    with alertmanager_cluster(tmp_path / "am", config(site.port)) as servers:
        proof = site.proof(within="20s", at_most=1)
        raised = alert("cluster", "c1")
        since = CLOCK.now()
        for server in servers:
            push(server, raised)
        assert wait(proof, fired("c1", since)).status == "delivered"
        time.sleep(1.5)  # the second waits a second for the first before it would notify too
        assert [each.status for each in proof.conclude()] == ["delivered"]
    site.stop()


def until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.02)
