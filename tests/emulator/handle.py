"""A handle on a running emulator: its address, and its admin endpoints as methods."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import requests


@dataclass(slots=True)
class Emulator:
    """Every method talks HTTP to ``/admin``; times are epoch milliseconds, durations milliseconds."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)
    token: str | None = None
    """What its admin endpoints demand."""

    def fault(self, *texts: str) -> list[int]:
        """Add faults, written as for ``--fault``; their ids."""
        return list(self._admin("POST", "faults", {"faults": list(texts)})["ids"])

    def faults(self) -> list[dict[str, Any]]:
        return list(self._admin("GET", "faults")["faults"])

    def clear_faults(self) -> None:
        self._admin("DELETE", "faults")

    def now(self) -> int:
        return int(self._admin("GET", "clock")["now"])

    def advance(self, milliseconds: int) -> int:
        """Move the clock on; the new time."""
        return int(self._admin("POST", "clock", {"advance": milliseconds})["now"])

    def set_clock(self, **what: float) -> int:
        """``now``, ``advance`` or ``offset``, and ``speed``; the new time."""
        return int(self._admin("POST", "clock", what)["now"])

    def requests(self, operation: str | None = None) -> list[dict[str, Any]]:
        """What was asked so far, oldest first; ``operation`` as in faults (push, clear, query, ...)."""
        path = f"requests?operation={operation}" if operation else "requests"
        return list(self._admin("GET", path)["requests"])

    def bodies(self, operation: str | None = None) -> list[Any]:
        """The JSON bodies of those requests."""
        return [json.loads(each["body"]) for each in self.requests(operation) if each["body"]]

    def forget_requests(self) -> None:
        self._admin("DELETE", "requests")

    def alarms(self) -> list[dict[str, Any]]:
        """All alarms and events AOM holds, each with ``project_id`` and ``active``."""
        return list(self._admin("GET", "alarms")["alarms"])

    def active_alarms(self) -> list[dict[str, Any]]:
        return [alarm for alarm in self.alarms() if alarm["active"]]

    def pending(self) -> list[dict[str, Any]]:
        """AOM's writes that do not show yet."""
        return list(self._admin("GET", "alarms")["pending"])

    def switch(self, **switches: str) -> None:
        """AOM behaves otherwise from now on: ``on_repeat``, ``on_bad_event``."""
        self._admin("PUT", "aom/switches", switches)

    def notify(self, name: str, **rule: Any) -> None:
        """Add a notification rule: topic, code, after, match."""
        self._admin("POST", "notifications", {"name": name, **rule})

    def reset(self) -> None:
        self._admin("POST", "reset")

    def _admin(self, method: str, path: str, body: object = None) -> Any:
        response = self.session.request(
            method,
            f"{self.url}/admin/{path}",
            json=body,
            # A kept connection may be closed by the server, after some idle seconds, while the request is on its way.
            headers={"Connection": "close"} | ({} if self.token is None else {"X-Auth-Token": self.token}),
            timeout=30,
        )
        assert response.ok, response.text
        return response.json() if response.content else None

    def ces_events(self) -> list[dict[str, Any]]:
        """All events CES holds, also those that do not show yet."""
        return list(self._admin("GET", "ces/events")["events"])

    def put_bcm_alarms(self, *alarms: dict[str, Any]) -> None:
        """Add alarm histories to BCM; times are epoch milliseconds or distances from now like ``-10m``."""
        self._admin("POST", "bcm/alarms", list(alarms))
