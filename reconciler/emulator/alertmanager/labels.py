"""Labels: their fingerprint, their order, the names allowed, and how they are written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Literal

Version = Literal["0.25.0", "0.28.0", "0.32.0"]
"""The releases that can be played: the last one common in distributions, one that takes UTF-8 names, and one that
keeps annotations of silences.
"""

_OFFSET, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF
_CLASSIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


def fingerprint(labels: Mapping[str, str]) -> str:
    """FNV-1a (64 bits) over the sorted pairs, a byte 255 after each name and each value; 16 hexadecimal digits."""
    total = _OFFSET
    for name in sorted(labels):
        for byte in b"%b\xff%b\xff" % (name.encode(), labels[name].encode()):
            total = (total ^ byte) * _PRIME & _MASK
    return f"{total:016x}"


def is_name(name: str, version: Version) -> bool:
    """Whether a label or an annotation may have this name: any text that is not empty since UTF-8 names came."""
    return bool(name) if version != "0.25.0" else _CLASSIC_NAME.fullmatch(name) is not None


def invalid_name(names: Iterable[str], version: Version) -> str | None:
    """The first name that is not allowed."""
    return next((name for name in names if not is_name(name, version)), None)


def quoted(text: str) -> str:
    """A text in double quotes, as Go's ``%q`` writes it for the usual characters."""
    return json.dumps(text, ensure_ascii=False)


def written(labels: Mapping[str, str]) -> str:
    """``{a="b", c="d"}``, sorted by name: the second half of a group's key."""
    return "{" + ", ".join(f"{name}={quoted(labels[name])}" for name in sorted(labels)) + "}"


def group_order(labels: Mapping[str, str]) -> tuple[int, list[tuple[str, str]]]:
    """The sort key of groups: fewer labels first, then by name and value."""
    return len(labels), sorted(labels.items())


def alert_order(labels: Mapping[str, str]) -> tuple[bool, str, bool, str, int, list[tuple[str, str]]]:
    """The sort key of the alerts in a group: by ``job`` and ``instance``, those without them last."""
    job, instance = labels.get("job"), labels.get("instance")
    return job is None, job or "", instance is None, instance or "", *group_order(labels)
