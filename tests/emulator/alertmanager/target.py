"""Targets: the emulator and the real server, as the scenarios see them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.emulator.handle import Emulator
from tests.servers.alertmanager import Alertmanager, alertmanager, alertmanager_cluster
from tests.servers.webhook import WebhookReceiver, webhook_receiver

KINDS = ["emulator", pytest.param("real", marks=pytest.mark.slow)]
"""The two that are held to each other."""

PATIENCE_S = 30.0
STEP_S = 0.25


def config(hook: str) -> dict[str, Any]:
    """One configuration for every scenario: a route for each behaviour of a receiver, chosen by the label ``team``."""
    return {
        "global": {"resolve_timeout": "1m"},
        "route": {
            "receiver": "hook",
            "group_by": ["alertname"],
            "group_wait": "1s",
            "group_interval": "2s",
            "repeat_interval": "1h",
            "routes": [
                {"matchers": ['team="slow"'], "receiver": "hook", "group_wait": "1h", "group_by": ["alertname", "id"]},
                {"matchers": ['team="quiet"'], "receiver": "no.resolved"},
                {"matchers": ['team="few"'], "receiver": "few"},
                {"matchers": ['team="again"'], "receiver": "hook", "group_interval": "1s", "repeat_interval": "1s"},
                {"matchers": ['team="broken"'], "receiver": "broken"},
                {"matchers": ['team="both"'], "receiver": "few", "continue": True},
                {"matchers": ['team=~"both|nobody"'], "receiver": "nobody"},
            ],
        },
        "receivers": [
            {"name": "hook", "webhook_configs": [{"url": f"{hook}/hook"}]},
            {"name": "no.resolved", "webhook_configs": [{"url": f"{hook}/quiet", "send_resolved": False}]},
            {"name": "few", "webhook_configs": [{"url": f"{hook}/few", "max_alerts": 1}]},
            {"name": "broken", "webhook_configs": [{"url": f"{hook}/broken"}]},
            {"name": "nobody"},
        ],
        "inhibit_rules": [
            {
                "source_matchers": ['severity="critical"'],
                "target_matchers": ['severity=~"warning|info"'],
                "equal": ["alertname"],
            }
        ],
    }


def text_of(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat().replace("+00:00", "Z")


class Target(ABC):
    """One Alertmanager, or a cluster of two; times are seconds since the epoch."""

    def __init__(self, urls: Sequence[str], hook: WebhookReceiver) -> None:
        self.urls = urls
        self.hook = hook

    @abstractmethod
    def now(self) -> float: ...

    @abstractmethod
    def wait(self, seconds: float) -> None: ...

    @abstractmethod
    def restart(self, *, kill: bool = False) -> None:
        """Restart the first peer."""

    def send(self, method: str, path: str, *, peer: int = 0, **more: Any) -> requests.Response:
        return requests.request(method, f"{self.urls[peer]}{path}", timeout=30, **more)

    def time(self, seconds: float = 0.0) -> str:
        """The text of an instant so many seconds from now."""
        return text_of(self.now() + seconds)

    def push(self, *alerts: dict[str, Any], peers: Sequence[int] = (0,)) -> None:
        for peer in peers:
            response = self.send("POST", "/api/v2/alerts", json=list(alerts), peer=peer)
            assert (response.status_code, response.text) == (200, ""), response.text

    def silence(self, *, start: float = 0, end: float = 600, comment: str = "c", **equal: str) -> dict[str, Any]:
        """The body of a silence whose matchers are equalities."""
        return {
            "matchers": [{"name": name, "value": value, "isRegex": False} for name, value in equal.items()],
            "startsAt": self.time(start),
            "endsAt": self.time(end),
            "createdBy": "test",
            "comment": comment,
        }

    def put_silence(self, body: dict[str, Any]) -> str:
        response = self.send("POST", "/api/v2/silences", json=body)
        assert response.status_code == 200, response.text
        return str(response.json()["silenceID"])

    def query(self, *filters: str, peer: int = 0, **options: str) -> list[dict[str, Any]]:
        params = [*(("filter", each) for each in filters), *options.items()]
        response = self.send("GET", "/api/v2/alerts", params=params, peer=peer)
        assert response.status_code == 200, response.text
        return list(response.json())

    def notifications(self, alertname: str) -> list[list[str]]:
        """What was told of an alertname: for each delivery its alerts, as ``id status``."""
        return [
            sorted(f"{alert['labels'].get('id')} {alert['status']}" for alert in each.payload["alerts"])
            for each in self.hook.deliveries(alertname=alertname)
        ]

    def until_notified(self, alertname: str, count: int) -> list[list[str]]:
        """The notifications, once there are so many."""
        self.until(lambda: len(self.notifications(alertname)) >= count)
        return self.notifications(alertname)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; if it does not come to hold, what the scenario observes will say so."""
        waited = 0.0
        while waited < PATIENCE_S and not holds():
            self.wait(STEP_S)
            waited += STEP_S


class Real(Target):
    def __init__(self, servers: Sequence[Alertmanager], hook: WebhookReceiver) -> None:
        super().__init__([server.url for server in servers], hook)
        self._servers = servers

    def now(self) -> float:
        return time.time()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def restart(self, *, kill: bool = False) -> None:
        self._servers[0].restart(kill=kill)


class Emulated(Target):
    """The emulator: its clock is moved, so that no scenario waits."""

    def __init__(self, emulator: Emulator, peers: int, hook: WebhookReceiver) -> None:
        prefixes = ["/alertmanager", *(f"/alertmanager-{number}" for number in range(2, peers + 1))]
        super().__init__([emulator.url + prefix for prefix in prefixes], hook)
        self._emulator = emulator

    def now(self) -> float:
        return self._emulator.now() / 1000

    def wait(self, seconds: float) -> None:
        self._emulator.advance(round(seconds * 1000))

    def restart(self, *, kill: bool = False) -> None:
        body = {"peer": 1, "kill": kill}
        answer = requests.post(f"{self._emulator.url}/admin/alertmanager/restart", json=body, timeout=30)
        assert answer.status_code == 204, answer.text


@contextmanager
def target(kind: str, directory: Path, peers: int = 1) -> Iterator[Target]:
    """The target of a kind, ``emulator`` or ``real``, with its own webhook receiver."""
    with webhook_receiver() as hook:
        played = config(hook.url)
        if kind == "emulator":
            settings = Settings(alertmanager_config=played, alertmanager_peers=peers, alertmanager_peer_timeout=1_000)
            with running(settings) as url:
                yield Emulated(Emulator(url), peers, hook)
        elif peers == 1:
            with alertmanager(directory, played) as server:
                yield Real([server], hook)
        else:
            with alertmanager_cluster(directory, played) as servers:
                yield Real(servers, hook)
