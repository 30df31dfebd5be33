"""The store of custom events: validated by Tables 2 to 5 of the report page, and stored once, however often sent."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from hashlib import blake2b

from reconciler.emulator.database import Database
from reconciler.emulator.wire import is_integer, parse, text

MOST = 100
LEVELS = ("Critical", "Major", "Minor", "Info")
STATES = ("normal", "warning", "incident")
CUSTOM = "EVENT.CUSTOM"
SUB_CUSTOM = "SUB_EVENT.CUSTOM"
OLDEST = 3_600_000 - 10_000
NEWEST = 600_000 - 10_000
"""How far (ms) a time may lie behind and ahead of the server's."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
SOURCE = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,31}\.[A-Za-z][A-Za-z0-9_]{2,31}")

_PATTERNS = {
    "resource_id": (re.compile(r"[A-Za-z0-9_\-:]{0,128}"), "up to 128 letters, digits, _, - and :"),
    "resource_name": (re.compile(r"[A-Za-z0-9_\-.]{0,128}"), "up to 128 letters, digits, _, - and ."),
    "event_user": (re.compile(r"[A-Za-z0-9_\- ]{0,64}"), "up to 64 letters, digits, _, - and spaces"),
    "content": (re.compile(r"(?s).{0,4096}"), "up to 4,096 characters"),
    "group_id": (re.compile(r"(?s).{24}"), "24 characters"),
}
_CHOICES = {
    "event_state": STATES,
    "event_level": LEVELS,
    "event_type": (CUSTOM,),
    "sub_event_type": (SUB_CUSTOM,),
}
_IDENTITY = ("event_type", "sub_event_type", "event_state", "event_level", "event_user", "resource_id", "resource_name")


@dataclass(frozen=True, slots=True)
class Item:
    """One validated event; ``time`` is epoch milliseconds, ``detail`` is as sent."""

    name: str
    source: str
    time: int
    detail: dict[str, object]

    def event_id(self, project: str) -> str:
        """The same id for what the page calls the same event: content, group and dimensions do not matter.

        A missing type counts as the custom one, since nothing else can be reported.
        """
        defaults = {"event_type": CUSTOM, "sub_event_type": SUB_CUSTOM}
        rest = [self.detail.get(key) or defaults.get(key) for key in _IDENTITY]
        digest = blake2b(json.dumps([self.time, project, self.source, self.name, rest]).encode(), digest_size=15)
        return "evd" + base64.b32encode(digest.digest()).decode("ascii").lower()


def read_items(body: bytes, now: int) -> list[Item]:
    """Parse the events of a body. Raises ValueError if the body or any event is invalid; none is stored then."""
    try:
        value = parse(body)
    except ValueError:
        raise ValueError("the body is not JSON") from None
    if not isinstance(value, list):
        raise ValueError("the body is not an array of events")
    if not 1 <= len(value) <= MOST:
        raise ValueError(f"the body has {len(value)} events, 1 to {MOST} are allowed")
    items = []
    for position, each in enumerate(value):
        try:
            items.append(_item(each, now))
        except ValueError as error:
            raise ValueError(f"[{position}]: {error}") from None
    return items


def _item(value: object, now: int) -> Item:
    if not isinstance(value, dict):
        raise ValueError("not an object")
    name, source, time, detail = (value.get(key) for key in ("event_name", "event_source", "time", "detail"))
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError("event_name must start with a letter and have 1 to 64 letters, digits and _")
    if not isinstance(source, str) or not SOURCE.fullmatch(source):
        raise ValueError("event_source must be service.item, each starting with a letter, 3 to 32 letters, digits, _")
    if not isinstance(time, int) or not is_integer(time):
        raise ValueError("time must be milliseconds")
    if not now - OLDEST <= time <= now + NEWEST:
        raise ValueError(f"time {time} is outside [now - 1 h + 10 s, now + 10 min - 10 s], now being {now}")
    if not isinstance(detail, dict):
        raise ValueError("detail is missing or not an object")
    for key, (pattern, allowed) in _PATTERNS.items():
        given = detail.get(key)
        if given is not None and not (isinstance(given, str) and pattern.fullmatch(given)):
            raise ValueError(f"detail.{key} must be {allowed}")
    for key, choices in _CHOICES.items():
        given = detail.get(key)
        if given is not None and given not in choices:
            raise ValueError(f"detail.{key} must be {' or '.join(choices)}")
    _check_dimensions(detail.get("dimensions"))
    return Item(name, source, time, detail)


def _check_dimensions(value: object) -> None:
    if value is None:
        return
    if not isinstance(value, list) or len(value) > 4:
        raise ValueError("detail.dimensions must be a list of at most 4")
    for each in value:
        if not isinstance(each, dict):
            raise ValueError("detail.dimensions must hold objects")
        for key, most in (("name", 32), ("value", 256)):
            given = each.get(key)
            if not isinstance(given, str) or not 1 <= len(given) <= most:
                raise ValueError(f"detail.dimensions: {key} must have 1 to {most} characters")


SCHEMA = """
CREATE TABLE IF NOT EXISTS ces_event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    event_id TEXT NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    time INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    user TEXT NOT NULL,
    level TEXT NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL,
    UNIQUE (project, event_id)
);
CREATE INDEX IF NOT EXISTS ces_event_by_name ON ces_event (project, name, time);
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """The filter of a listing; None matches anything. ``start`` and ``end`` are epoch milliseconds, both inclusive."""

    project: str
    now: int
    name: str | None = None
    source: str | None = None
    level: str | None = None
    user: str | None = None
    state: str | None = None
    start: int | None = None
    end: int | None = None

    def where(self) -> tuple[str, list[object]]:
        """The SQL condition, and its parameters."""
        terms, values = ["project = ?", "visible_at <= ?"], [self.project, self.now]
        for column, comparison, value in (
            ("name", "=", self.name),
            ("source", "=", self.source),
            ("level", "=", self.level),
            ("user", "=", self.user),
            ("state", "=", self.state),
            ("time", ">=", self.start),
            ("time", "<=", self.end),
        ):
            if value is not None:
                terms.append(f"{column} {comparison} ?")
                values.append(value)
        return "WHERE " + " AND ".join(terms), list(values)


class CesStore:
    """The custom events of all projects in the database; times are epoch milliseconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(SCHEMA)

    def add(self, items: list[Item], project: str, visible_at: int) -> list[str]:
        """Store items and return their ids, in order; an existing event keeps what was sent first."""
        ids = [item.event_id(project) for item in items]
        with self._database.write() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO ces_event (project, event_id, name, source, time, visible_at, user, level,"
                " state, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        project,
                        event_id,
                        item.name,
                        item.source,
                        item.time,
                        visible_at,
                        item.detail.get("event_user") or "",
                        item.detail.get("event_level") or "",
                        item.detail.get("event_state") or "",
                        text(item.detail),
                    )
                    for event_id, item in zip(ids, items, strict=True)
                ],
            )
        return ids

    def summaries(self, wanted: Filter, start: int, limit: int) -> tuple[list[dict[str, object]], int]:
        """One page of event names with count and latest occurrence, latest first, and the total number of names."""
        where, values = wanted.where()
        connection = self._database.connection
        total = connection.execute(f"SELECT count(DISTINCT name) FROM ces_event {where}", values).fetchone()[0]  # noqa: S608 - constants
        # SQLite takes the bare column from the row that has the maximum.
        rows = connection.execute(
            f"SELECT name, count(*), max(time), source FROM ces_event {where}"  # noqa: S608 - constants
            " GROUP BY name ORDER BY max(time) DESC, name LIMIT ? OFFSET ?",
            [*values, limit, start],
        )
        return [
            {
                "event_name": name,
                "event_type": CUSTOM,
                "sub_event_type": SUB_CUSTOM,
                "event_count": count,
                "latest_occur_time": latest,
                "latest_event_source": source,
            }
            for name, count, latest, source in rows
        ], total

    def events(self, wanted: Filter, start: int, limit: int) -> tuple[list[dict[str, object]], int]:
        """One page of events, latest first, and the total number."""
        where, values = wanted.where()
        connection = self._database.connection
        total = connection.execute(f"SELECT count(*) FROM ces_event {where}", values).fetchone()[0]  # noqa: S608 - constants
        rows = connection.execute(
            f"SELECT name, source, time, event_id, detail FROM ces_event {where}"  # noqa: S608 - constants
            " ORDER BY time DESC, seq DESC LIMIT ? OFFSET ?",
            [*values, limit, start],
        )
        return [
            {"event_name": name, "event_source": source, "time": time, "event_id": event_id, "detail": parse(detail)}
            for name, source, time, event_id, detail in rows
        ], total

    def users_and_sources(self, wanted: Filter) -> tuple[list[str], list[str]]:
        where, values = wanted.where()
        connection = self._database.connection
        users = connection.execute(f"SELECT DISTINCT user FROM ces_event {where} AND user <> '' ORDER BY 1", values)  # noqa: S608 - constants
        names = [user for (user,) in users]
        sources = connection.execute(f"SELECT DISTINCT source FROM ces_event {where} ORDER BY 1", values)  # noqa: S608 - constants
        return names, [source for (source,) in sources]

    def everything(self) -> list[dict[str, object]]:
        """All stored events, oldest first, including those not visible yet."""
        rows = self._database.connection.execute(
            "SELECT project, name, source, time, event_id, detail, visible_at FROM ces_event ORDER BY seq"
        )
        return [
            {
                "project_id": project,
                "event_name": name,
                "event_source": source,
                "time": time,
                "event_id": event_id,
                "detail": parse(detail),
                "visible_at": visible_at,
            }
            for project, name, source, time, event_id, detail, visible_at in rows
        ]

    def reset(self) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM ces_event")
