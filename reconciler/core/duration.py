"""Durations and instants: whole milliseconds internally, text in configurations and output."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
DURATION_PART = r"[0-9]+(?:ms|s|m|h|d)"
_PARTS = re.compile(r"([0-9]+)(ms|s|m|h|d)")
_RFC3339 = r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)"


def in_seconds(milliseconds: float) -> float:
    """A duration or an instant in seconds, for libraries and formats that use them."""
    return milliseconds / SECOND


def from_seconds(seconds: float) -> int:
    """A duration or an instant in seconds, as whole milliseconds."""
    return round(seconds * SECOND)


def as_datetime(milliseconds: int) -> datetime:
    """An instant as a datetime in UTC. Raises ValueError, OverflowError or OSError if it is out of range."""
    return datetime.fromtimestamp(in_seconds(milliseconds), UTC)


def from_datetime(moment: datetime) -> int:
    """The epoch milliseconds of a datetime with a time zone."""
    return from_seconds(moment.timestamp())


@cache
def _milliseconds(text: str) -> int | None:
    """One number for all who write the same; None for text that is not a duration."""
    parts = _PARTS.findall(text)
    if not parts or "".join([count + unit for count, unit in parts]) != text:
        return None
    return sum(int(count) * _UNITS[unit] for count, unit in parts)


def parse_duration(value: object) -> int:
    """Parse ``90s``, ``30m``, ``12h``, ``15d`` or a sum like ``1h30m`` to milliseconds. Raises ValueError for anything
    else.
    """
    milliseconds = _milliseconds(value) if isinstance(value, str) else None
    if milliseconds is not None:
        return milliseconds
    if re.fullmatch("[0-9]+", str(value)):
        raise ValueError(f"{value} is not a duration: it has no unit; write {value}s, {value}m, {value}h or {value}d")
    raise ValueError(f"{value!r} is not a duration: write it like 90s, 30m, 12h or 15d")


def format_duration(milliseconds: int) -> str:
    """The shortest text that ``parse_duration`` parses to this duration: 5400000 is ``1h30m``."""
    if milliseconds < 0:
        return "-" + format_duration(-milliseconds)
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, milliseconds = divmod(milliseconds, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def rough_duration(milliseconds: int) -> str:
    """A rounded duration for output, in whole seconds from one second on: ``4m12s``."""
    return format_duration(milliseconds if abs(milliseconds) < SECOND else round(milliseconds / SECOND) * SECOND)


def parse_instant(value: object) -> int:
    """Parse an RFC 3339 text, or an integer of epoch milliseconds. Raises ValueError otherwise."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(_RFC3339, value):
        return from_datetime(datetime.fromisoformat(value.upper()))
    raise ValueError(f"{value!r} is not an instant: write RFC 3339 (2026-05-01T12:00:00Z) or epoch milliseconds")


def format_instant(milliseconds: int) -> str:
    """An instant as RFC 3339 in UTC, in whole seconds; a number out of range is returned as text."""
    try:
        return as_datetime(milliseconds).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{milliseconds} ms"
