"""A stack with 500 operations of every kind between two releases, and what the service then shows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import requests

from tests.emulator.handle import Emulator

OPERATIONS = 500
"""30 updates, 10 replaces (a clear and a push each), 100 clears, 300 creates, 50 events. Where a repeated push opens a
second alarm, the first one is cleared too: 30 more.
"""

HEAD = """\
stack: fleet
variables: {{endpoint: {{}}}}
providers:
  aom:
    endpoint: "${{var.endpoint}}"
    project_id: demo
    auth: {{token: t}}
    batch_size: {batch_size}
    parallelism: 3
    visible_within: 200ms
resources:
"""
ALARM = """\
      resource_provider: ecs
      resource_type: vm
      resource_id: "${each.value}"
      timeout: 12h
"""

Shown = list[tuple[str, str, str]]


def declare(directory: Path, release: int, batch_size: int = 20) -> Path:
    """Write the stack as of release 1 or 2; the directory."""
    text = HEAD.format(batch_size=batch_size) + "  aom_alarm:\n"
    text += _group("updated", 30, "Major", f"release {release}")
    text += _group("replaced", 10, "Major" if release == 1 else "Critical", "degraded")
    text += _group("gone", 100, "Minor", "old") if release == 1 else _group("new", 300, "Minor", "new")
    if release == 2:
        text += "  aom_event:\n    released:\n" + _each(50) + "      occurrence: two\n      event_severity: Info\n"
        text += ALARM.replace("      timeout: 12h\n", "")
    directory.mkdir(exist_ok=True)
    (directory / "stack.yaml").write_text(text)
    return directory


def shown(emulator: Emulator) -> Shown:
    """What fires and what is on record: address, severity or occurrence, and message, an entry for each."""
    return sorted(
        (
            alarm["metadata"].get("reconciler_address", "foreign"),
            alarm["metadata"].get("reconciler_occurrence") or alarm["metadata"]["event_severity"],
            alarm["annotations"].get("message", ""),
        )
        for alarm in emulator.alarms()
        if alarm["active"] or alarm["metadata"]["event_type"] == "event"
    )


def expected() -> Shown:
    """What release 2 declares, each once, and the alarm of somebody else."""
    rows = [("foreign", "Major", "mine")]
    rows += _rows("aom_alarm.updated", 30, "Major", "release 2")
    rows += _rows("aom_alarm.replaced", 10, "Critical", "degraded")
    rows += _rows("aom_alarm.new", 300, "Minor", "new")
    rows += _rows("aom_event.released", 50, "two", "")
    return sorted(rows)


def push_foreign(emulator: Emulator) -> None:
    """Raise an alarm that looks like one of the stack's, without its marks."""
    metadata = {
        "event_name": "updated",
        "event_severity": "Major",
        "event_type": "alarm",
        "resource_provider": "ecs",
        "resource_type": "vm",
        "resource_id": "h0",
    }
    event: dict[str, Any] = {"starts_at": emulator.now(), "timeout": 43_200_000, "metadata": metadata}
    event["annotations"] = {"message": "mine"}
    url = f"{emulator.url}/v2/demo/push/events"
    requests.put(url, json={"events": [event]}, headers={"X-Auth-Token": "t"}, timeout=10).raise_for_status()


def _group(name: str, count: int, severity: str, message: str) -> str:
    head = f"    {name}:\n{_each(count)}{ALARM}"
    return f"{head}      event_severity: {severity}\n      annotations: {{message: {message}}}\n"


def _each(count: int) -> str:
    return f"      for_each: [{', '.join(f'h{number}' for number in range(count))}]\n"


def _rows(address: str, count: int, kind: str, message: str) -> Iterable[tuple[str, str, str]]:
    return ((f'{address}["h{number}"]', kind, message) for number in range(count))
