"""The first things any client does: push, list, clear."""

from __future__ import annotations

import requests

from tests.emulator.handle import Emulator

METADATA = {
    "event_name": "test",
    "event_severity": "Major",
    "event_type": "alarm",
    "resource_provider": "ecs",
    "resource_type": "vm",
    "resource_id": "ecs123",
}
HEADERS = {"X-Auth-Token": "any"}


def push(emulator: Emulator, *events: object, **options: str) -> requests.Response:
    return requests.put(
        f"{emulator.url}/v2/demo/push/events",
        params=options,
        json={"events": list(events)},
        headers=HEADERS,
        timeout=10,
    )


def query(emulator: Emulator, **options: str) -> list[dict[str, object]]:
    response = requests.post(
        f"{emulator.url}/v2/demo/events", params=options, json={"time_range": "-1.-1.60"}, headers=HEADERS, timeout=10
    )
    assert response.status_code == 200, response.text
    return list(response.json()["events"])


def test_a_pushed_alarm_is_active_until_it_is_cleared(emulator: Emulator) -> None:
    event = {"starts_at": emulator.now(), "timeout": 60_000, "metadata": METADATA}
    assert push(emulator, event).status_code == 204
    [alarm] = query(emulator, type="active_alert")
    assert alarm["metadata"] == METADATA
    assert push(emulator, {**event, "id": alarm["id"]}, action="clear").status_code == 204
    assert query(emulator, type="active_alert") == []
    [ended] = query(emulator, type="history_alert")
    assert ended["id"] == alarm["id"]
    assert ended["ends_at"] != 0
