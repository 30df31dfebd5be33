"""Calls as any HTTP client makes them, for tests of the emulator alone."""

from __future__ import annotations

from typing import Any

import requests

from tests.emulator.handle import Emulator

HEADERS = {"X-Auth-Token": "any"}
MINUTE = 60_000
HOUR = 60 * MINUTE


def metadata(name: str = "test", **more: str) -> dict[str, str]:
    return {
        "event_name": name,
        "event_severity": "Major",
        "event_type": "alarm",
        "resource_provider": "ecs",
        "resource_type": "vm",
        "resource_id": "ecs123",
        **more,
    }


def push_raw(
    emulator: Emulator,
    body: object,
    action: str | None = None,
    headers: dict[str, str] | None = None,
    project: str = "p",
) -> requests.Response:
    return requests.put(
        f"{emulator.url}/v2/{project}/push/events",
        params={"action": action} if action else {},
        json=body,
        headers={**HEADERS, **(headers or {})},
        timeout=30,
    )


def push(emulator: Emulator, *names_or_metadata: str | dict[str, str], project: str = "p", **fields: Any) -> None:
    """Push one alarm for each name or metadata, starting now unless ``starts_at`` says otherwise."""
    events = [
        {
            "starts_at": emulator.now(),
            "timeout": HOUR,
            "metadata": metadata(each) if isinstance(each, str) else each,
            **fields,
        }
        for each in names_or_metadata
    ]
    response = push_raw(emulator, {"events": events}, project=project)
    assert response.status_code == 204, response.text


def clear(emulator: Emulator, which: str | dict[str, str], **fields: Any) -> None:
    event = {"metadata": metadata(which) if isinstance(which, str) else which, **fields}
    response = push_raw(emulator, {"events": [event]}, action="clear")
    assert response.status_code == 204, response.text


def query_raw(
    emulator: Emulator,
    body: object,
    path: str = "events",
    project: str = "p",
    headers: dict[str, str] | None = None,
    **options: Any,
) -> requests.Response:
    return requests.post(
        f"{emulator.url}/v2/{project}/{path}",
        params=options,
        json=body,
        headers={**HEADERS, **(headers or {})},
        timeout=30,
    )


def query(emulator: Emulator, kind: str = "active_alert", *, minutes: int = 60, **body: Any) -> list[dict[str, Any]]:
    """The first page of events of a kind in the last minutes."""
    response = query_raw(emulator, {"time_range": f"-1.-1.{minutes}", **body}, type=kind)
    assert response.status_code == 200, response.text
    return list(response.json()["events"])


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["metadata"]["event_name"] for event in events]
