"""What was sent, to the byte, and what a saved plan says will be."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tests.emulator.handle import Emulator

WRITES = ("push", "clear", "ces-report")


def sent(emulator: Emulator) -> list[str]:
    """The JSON text of every item that was pushed, cleared or reported, as it came, sorted."""
    bodies = [request["body"] for operation in WRITES for request in emulator.requests(operation)]
    return sorted(item for body in bodies for item in _items(body))


def planned(saved: Path, *, conditional: bool) -> list[str]:
    """The payloads of a saved plan, sorted; ``conditional`` are those due only where a push opens a second alarm."""
    operations = [item for change in json.loads(saved.read_text())["changes"] for item in change["operations"]]
    return sorted(item["payload"] for item in operations if conditional or not item["only_if_duplicate"])


def _items(body: str) -> Iterable[str]:
    """The elements of the one array of a body, without a byte changed; none where its sender died while writing it."""
    decoder = json.JSONDecoder()
    try:
        json.loads(body)
    except ValueError:
        return
    at = body.index("[") + 1
    while body[at] != "]":
        _, end = decoder.raw_decode(body, at)
        yield body[at:end]
        at = end + 1 if body[end] == "," else end
