"""Alertmanagers that notify a receiver, directly and through a gateway that misbehaves."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event
from typing import Any

import requests

from reconciler.checks.delivery import Awaited, DeliveryOutcome, DeliveryProof
from reconciler.checks.expectation import Delivered
from reconciler.core.clock import Clock
from reconciler.core.system_clock import SystemClock
from reconciler.providers.protocol import ProviderContext
from reconciler.providers.receiver import PROVIDER
from reconciler.providers.receiver.provider import ReceiverProvider
from reconciler.receive.server import running_receiver
from reconciler.receive.settings import Settings
from tests.receive.receivers import TOKEN
from tests.servers.alertmanager import Alertmanager
from tests.servers.ports import free_port

CLOCK: Clock = SystemClock()


WAIT = "200ms"


class Site:
    """A receiver that can be stopped and started, and Alertmanagers with routes to it by the label ``route``."""

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
        self.servers: Sequence[Alertmanager] = ()
        self.steady: Site | None = None
        """A receiver that is never stopped, behind a gateway that answers later than Alertmanager waits."""
        self.pushed_to_steady = 0
        """When an alert for it was pushed: what becomes of it takes long, so it goes first."""

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


def config(port: int, gateway: str = "http://127.0.0.1:9") -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}/alertmanager"
    hooks = {
        "oncall": {"url": url},
        "backup": {"url": url},
        "few": {"url": url, "max_alerts": 1},
        "again": {"url": url},
        "patient": {"url": url},
        "doomed": {"url": url},
        **{name: {"url": f"{gateway}/{name}"} for name in GATEWAY},
    }
    routes = [{"receiver": name, "matchers": [f"route={name}"]} for name in hooks if name != "oncall"]
    by_name = {route["receiver"]: route for route in routes}
    by_name["again"] |= {"group_interval": WAIT, "repeat_interval": "300ms"}
    by_name["patient"] |= {"group_wait": "1500ms"}
    by_name["doomed"] |= {"group_wait": "5m"}
    return {
        "route": {
            "receiver": "oncall",
            "group_by": ["alertname"],
            "group_wait": WAIT,
            "group_interval": "500ms",
            "repeat_interval": "1h",
            "routes": routes,
        },
        "inhibit_rules": [
            {"source_matchers": ["alertname=storm"], "target_matchers": ["inhibited_by=storm"]},
            {"source_matchers": ["alertname=storm"], "target_matchers": ["team=quiet"]},
        ],
        "receivers": [
            {"name": name, "webhook_configs": [{"send_resolved": True, **hook}]} for name, hook in hooks.items()
        ],
    }


GATEWAY = ("flaky", "refusing", "slow_to_answer", "slow_to_deliver", "slower_than_the_sender_waits")


PATIENCE_S = 10
"""Seconds that Alertmanager waits at least for the answer to a notification."""


@contextmanager
def gateway(port: int, steady_port: int) -> Iterator[str]:
    """A gateway before a receiver that treats what it gets as its paths say; the first request of a path is special."""
    requested: Counter[str] = Counter()
    over = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            name = self.path.strip("/")
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requested[name] += 1
            first = requested[name] == 1
            if name == "refusing" and requested[name] <= 2:
                self._answer(500)
                return
            if name == "slow_to_deliver":
                over.wait(1.5)
            behind = steady_port if name == "slower_than_the_sender_waits" else port
            answer = requests.post(f"http://127.0.0.1:{behind}/alertmanager", data=body, timeout=10)
            if name == "slow_to_answer":
                over.wait(0.4)
            if name == "slower_than_the_sender_waits" and first:
                over.wait(PATIENCE_S + 2)
            self._answer(500 if name == "flaky" and first else answer.status_code)

        def _answer(self, status: int) -> None:
            with suppress(OSError):  # the sender has given up
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def alert(name: str, key: str, ended: bool = False, **labels: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    ends = now - timedelta(milliseconds=1) if ended else now + timedelta(minutes=5)
    return {
        "labels": {"alertname": name, "key": key, "reconciler_stack": "checkout", **labels},
        "annotations": {"reconciler_key": key},
        "endsAt": ends.isoformat(),
    }


def push(site: Site, *alerts: dict[str, Any]) -> int:
    """Send alerts to each Alertmanager, as Prometheus does; the time before."""
    since = CLOCK.now()
    for server in site.servers:
        requests.post(f"{server.url}/api/v2/alerts", json=alerts, timeout=10).raise_for_status()
    return since


def shown(server: Alertmanager, key: str) -> dict[str, Any] | None:
    """The alert with a key, as an Alertmanager shows it."""
    found = requests.get(f"{server.url}/api/v2/alerts", params={"filter": f"key={key}"}, timeout=10).json()
    return dict(found[0]) if found else None


def fired(key: str, since: int) -> Awaited:
    return Awaited("firing", frozenset([key]), since)


def wait(proof: DeliveryProof, awaited: Awaited) -> DeliveryOutcome:
    outcome = proof.wait(awaited, Event())
    assert outcome is not None
    return outcome


def until(condition: Any) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.02)
