"""Receivers for tests: a running one with what it answers, and payloads of real shapes."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import requests

TOKEN, SENDER_TOKEN, HOOK_TOKEN = "query-token-0123456789", "sender-token-0123456789", "hook-token-0123456789"

KEY = "8d1f0c2b7a6e4f53a0b9c8d7e6f50412"
ADDRESS = 'alertmanager_alert.latency["ecs \\"1\\""]'

WEBHOOK: dict[str, Any] = {
    "receiver": r"team\.checkout-oncall",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {
                "alertname": "checkout_latency",
                "severity": "critical",
                "reconciler_stack": "checkout",
                "reconciler_address": ADDRESS,
            },
            "annotations": {
                "summary": "p99 above 2 s",
                "reconciler_digest": "d" * 32,
                "reconciler_key": KEY,
                "reconciler_run": "r" * 32,
            },
            "startsAt": "2026-05-01T12:00:00.123456789Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
            "fingerprint": "f6a1c2d3e4b5a697",
        },
        {
            "status": "resolved",
            "labels": {"alertname": "disk_full", "severity": "warning"},
            "annotations": {},
            "startsAt": "2026-05-01T11:00:00.1Z",
            "endsAt": "2026-05-01T11:59:59.999999999+00:00",
            "generatorURL": "",
            "fingerprint": "0123456789abcdef",
        },
    ],
    "groupLabels": {"alertname": "checkout_latency"},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager.example.com:9093",
    "version": "4",
    "groupKey": '{}/{team="checkout"}:{alertname="checkout_latency"}',
    "truncatedAlerts": 3,
}
"""What Alertmanager sends, with every key of its version 4."""


def webhook(**changes: Any) -> dict[str, Any]:
    """A copy with some keys changed."""
    return copy.deepcopy(WEBHOOK) | changes


@dataclass(slots=True)
class Receiver:
    """A handle on a running receiver."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def post(self, path: str, body: object = None, **options: Any) -> requests.Response:
        """Send JSON, or with ``data=`` anything."""
        if "data" not in options:
            options["json"] = body
        return self.session.post(f"{self.url}{path}", timeout=30, **options)

    def get(self, path: str, token: str | None = TOKEN, **options: Any) -> requests.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        headers |= options.pop("headers", {})
        return self.session.get(f"{self.url}{path}", headers=headers, timeout=30, **options)

    def document(self, **query: str | int) -> dict[str, Any]:
        answer = self.get("/deliveries", params=query)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def deliveries(self, **query: str | int) -> list[dict[str, Any]]:
        return list(self.document(**query)["deliveries"])

    def metric(self, sample: str) -> float:
        """The value of ``NAME{LABELS}``, without our prefix."""
        lines = self.get("/metrics").text.splitlines()
        values = [line.rpartition(" ") for line in lines]
        return float({name: value for name, _, value in values}.get(f"reconciler_receiver_{sample}", "nan"))
