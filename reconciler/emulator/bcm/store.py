"""The store of alarm histories: filled by seeds, and listed by the request parameters of the page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.emulator.database import Database
from reconciler.emulator.wire import is_integer, parse, text

TYPES = ("ALARM_TYPE_CLOUD", "ALARM_TYPE_SITE", "ALARM_TYPE_CUSTOM", "ALARM_TYPE_APP")
_RELATIVE = re.compile(r"([+-])(\d{1,9})(ms|s|m|h|d)")
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(frozen=True, slots=True)
class SeededAlarm:
    """One alarm. ``user`` None makes it visible to every user; ``shown`` is the Alarm of the page's appendix."""

    id: str
    user: str | None
    type: str
    start: int
    shown: dict[str, object]


def read_alarms(value: object, now: int) -> list[SeededAlarm]:
    """Parse the alarms of a seed, an array or ``{"alarms": [...]}``. Raises ValueError that says which one is
    invalid.
    """
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
    """Unusual states, levels and missing fields are kept, since a client must handle them."""
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
    """Epoch milliseconds of a number, of ``now``, or of an offset from now such as ``-10m``. Raises ValueError
    otherwise.
    """
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


DAY = 86_400_000
DEFAULT_WINDOW = 40 * DAY
MAX_PAGE = 100
STATES = ("OK", "ALERT", "INSUFFICIENT_DATA", "CLOSED")
LEVELS = ("ALARM_LEVEL_NOTICE", "ALARM_LEVEL_WARNING", "ALARM_LEVEL_MAJOR", "ALARM_LEVEL_CRITICAL")


@dataclass(frozen=True, slots=True)
class Listing:
    """A validated query; times are epoch milliseconds, both inclusive; None and () match anything."""

    user: str
    type: str
    page: int
    size: int
    start: int
    end: int
    ascending: bool
    states: tuple[str, ...]
    level: str | None
    scope: str | None
    resource_type: str | None
    region: str | None
    alias: str | None
    resources: tuple[tuple[tuple[str, str], ...], ...]
    """Matches any of these; each is a set of (identifier in lower case, value) pairs that must all match."""

    def holds(self, alarm: dict[str, object]) -> bool:
        """Whether an alarm matches the filters other than user, type and start."""
        policy, resource = _part(alarm, "policy"), _part(alarm, "resource")
        if self.states and alarm.get("state") not in self.states:
            return False
        if self.level is not None and policy.get("level") != self.level:
            return False
        if self.alias is not None and self.alias.casefold() not in str(policy.get("aliasName", "")).casefold():
            return False
        wanted = {"scope": self.scope, "resourceType": self.resource_type, "region": self.region}
        if any(value is not None and resource.get(key) != value for key, value in wanted.items()):
            return False
        identifiers = {str(key).lower(): value for key, value in _part(resource, "identifiers").items()}
        return not self.resources or any(
            all(identifiers.get(key) == value for key, value in each) for each in self.resources
        )


def read_listing(body: bytes, now: int) -> Listing:
    """Parse a query. Raises ValueError that says what is invalid."""
    try:
        value = parse(body)
    except ValueError:
        raise ValueError("the request body is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("the request body is not an object")
    user, kind = _text(value, "userId"), _choice(value, "alarmType", TYPES)
    if user is None:
        raise ValueError("userId is required")
    if kind is None:
        raise ValueError("alarmType is required")
    page, size = _number(value, "pageNo", 1, 10**9), _number(value, "pageSize", 1, MAX_PAGE)
    if page is None or size is None:
        raise ValueError(f"{'pageNo' if page is None else 'pageSize'} is required")
    end = _number(value, "endTime", 0, 10**18)
    start = _number(value, "startTime", 0, 10**18)
    end = now if end is None else end
    start = now - DEFAULT_WINDOW if start is None else start
    if start > end:
        raise ValueError("startTime is after endTime")
    _choice(value, "sort", ("startTime",))
    ascending = value.get("ascending")
    if ascending is not None and not isinstance(ascending, bool):
        raise ValueError("ascending must be true or false")
    states = value.get("states")
    if states is not None and (not isinstance(states, list) or not all(each in STATES for each in states)):
        raise ValueError(f"states must be a list of {', '.join(STATES)}")
    return Listing(
        user=user,
        type=kind,
        page=page,
        size=size,
        start=start,
        end=end,
        ascending=bool(ascending),
        states=tuple(states or ()),
        level=_choice(value, "level", LEVELS),
        scope=_text(value, "scope"),
        resource_type=_text(value, "resourceType"),
        region=_text(value, "region"),
        alias=_text(value, "alarmAliasName"),
        resources=_resources(value),
    )


def _part(value: dict[str, object], key: str) -> dict[str, object]:
    part = value.get(key)
    return part if isinstance(part, dict) else {}


def _text(value: dict[str, object], key: str) -> str | None:
    found = value.get(key)
    if found is None or found == "":
        return None
    if not isinstance(found, str):
        raise ValueError(f"{key} must be text")
    return found


def _choice(value: dict[str, object], key: str, choices: tuple[str, ...]) -> str | None:
    found = _text(value, key)
    if found is not None and found not in choices:
        raise ValueError(f"{key} must be one of {', '.join(choices)}")
    return found


def _number(value: dict[str, object], key: str, least: int, most: int) -> int | None:
    found = value.get(key)
    if found is None:
        return None
    if not isinstance(found, int) or not is_integer(found) or not least <= found <= most:
        raise ValueError(f"{key} must be a whole number from {least} to {most}")
    return found


def _resources(value: dict[str, object]) -> tuple[tuple[tuple[str, str], ...], ...]:
    """``resource`` and ``resources`` combined: alarms of any of them match. An id may be spelt in either way."""
    several = value.get("resources")
    if several is not None and not isinstance(several, list):
        raise ValueError("resources must be a list")
    found = []
    for each in [value.get("resource"), *(several or [])]:
        if each is None:
            continue
        if not isinstance(each, dict) or not all(isinstance(part, str) for part in each.values()):
            raise ValueError("a resource is an object with InstanceId or taskId")
        unknown = {str(key) for key in each} - {"InstanceId", "instanceId", "taskId"}
        if unknown:
            raise ValueError(f"a resource has no {', '.join(sorted(unknown))}")
        if each:
            found.append(tuple((str(key).lower(), str(part)) for key, part in each.items()))
    return tuple(found)


SCHEMA = """
CREATE TABLE IF NOT EXISTS bcm_alarm (
    id TEXT PRIMARY KEY,
    user TEXT,                      -- NULL: everybody's
    type TEXT NOT NULL,
    start INTEGER NOT NULL,
    shown TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bcm_alarm_by_start ON bcm_alarm (type, start);
"""


class BcmStore:
    """The alarm histories in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(SCHEMA)

    def put(self, alarms: Iterable[SeededAlarm]) -> None:
        """Add alarms, or replace those with the same id."""
        with self._database.write() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO bcm_alarm VALUES (?, ?, ?, ?, ?)",
                [(alarm.id, alarm.user, alarm.type, alarm.start, text(alarm.shown)) for alarm in alarms],
            )

    def find(self, listing: Listing) -> tuple[list[dict[str, object]], int]:
        """One page of alarms, and the total number."""
        direction = "ASC" if listing.ascending else "DESC"
        rows = self._database.connection.execute(
            "SELECT shown FROM bcm_alarm WHERE type = ? AND start BETWEEN ? AND ? AND (user IS NULL OR user = ?)"  # noqa: S608 - constants
            f" ORDER BY start {direction}, id {direction}",
            (listing.type, listing.start, listing.end, listing.user),
        )
        found = [alarm for (shown,) in rows if listing.holds(alarm := _object(shown))]
        first = (listing.page - 1) * listing.size
        return [{**alarm, "userId": listing.user} for alarm in found[first : first + listing.size]], len(found)

    def get(self, identifier: str, user: str) -> dict[str, object] | None:
        row = self._database.connection.execute(
            "SELECT shown FROM bcm_alarm WHERE id = ? AND (user IS NULL OR user = ?)", (identifier, user)
        ).fetchone()
        return None if row is None else {**_object(row[0]), "userId": user}

    def everything(self) -> list[dict[str, object]]:
        rows = self._database.connection.execute("SELECT type, shown FROM bcm_alarm ORDER BY start, id")
        return [{**_object(shown), "alarmType": kind} for kind, shown in rows]

    def reset(self) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM bcm_alarm")


def _object(shown: str) -> dict[str, object]:
    value = parse(shown.encode())
    assert isinstance(value, dict)  # noqa: S101 - narrows a type
    return value
