"""Alarm histories as they are seeded: the page's Alarm with its type, and times that may be relative to now."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.emulator.wire import is_integer

TYPES = ("ALARM_TYPE_CLOUD", "ALARM_TYPE_SITE", "ALARM_TYPE_CUSTOM", "ALARM_TYPE_APP")
_RELATIVE = re.compile(r"([+-])(\d{1,9})(ms|s|m|h|d)")
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(frozen=True, slots=True)
class SeededAlarm:
    """``user`` None belongs to every user; ``shown`` is the Alarm of the page's appendix."""

    id: str
    user: str | None
    type: str
    start: int
    shown: dict[str, object]


def read_alarms(value: object, now: int) -> list[SeededAlarm]:
    """The alarms of a seed, an array or ``{"alarms": [...]}``; ValueError says which one is wrong."""
    if isinstance(value, dict):
        value = value.get("alarms")
    if not isinstance(value, list):
        raise ValueError("alarms must be a list")
    found = []
    for position, each in enumerate(value):
        try:
            found.append(_alarm(each, now))
        except ValueError as error:
            raise ValueError(f"alarms[{position}]: {error}") from None
    return found


def _alarm(value: object, now: int) -> SeededAlarm:
    """Odd states, levels and missing fields are kept: a client must live with them."""
    if not isinstance(value, dict):
        raise ValueError("not an object")
    alarm: dict[str, object] = dict(value)
    identifier, user, kind = alarm.get("id"), alarm.get("userId"), alarm.pop("alarmType", TYPES[0])
    if not isinstance(identifier, str) or not identifier:
        raise ValueError("id is missing")
    if user is not None and not isinstance(user, str):
        raise ValueError("userId must be text")
    if kind not in TYPES:
        raise ValueError(f"alarmType must be one of {', '.join(TYPES)}")
    if "startTime" not in alarm:
        raise ValueError("startTime is missing")
    start = alarm["startTime"] = instant(alarm["startTime"], now)
    alarm["endTime"] = instant(alarm.get("endTime", 0), now)
    for key, field in (("actions", "executedTime"), ("policy", "updateTime")):
        part = alarm.get(key)
        alarm[key] = [_dated(each, field, now) for each in part] if isinstance(part, list) else _dated(part, field, now)
        if part is None:
            del alarm[key]
    return SeededAlarm(identifier, user, str(kind), start, alarm)


def instant(value: object, now: int) -> int:
    """Epoch milliseconds of a number, of ``now``, or of a distance from now like ``-10m``; ValueError otherwise."""
    if value == "now":
        return now
    if isinstance(value, int) and is_integer(value):
        return value
    match = _RELATIVE.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"{value!r} is not a time: write epoch milliseconds, now, or a distance like -10m")
    distance = int(match[2]) * _UNITS[match[3]]
    return now + distance if match[1] == "+" else now - distance


def _dated(part: object, field: str, now: int) -> object:
    if isinstance(part, dict) and field in part:
        return {**part, field: instant(part[field], now)}
    return part
