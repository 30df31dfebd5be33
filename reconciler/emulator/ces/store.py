"""The store of custom events: each kept once, whatever is sent again."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.emulator.ces.item import CUSTOM, SUB_CUSTOM, Item
from reconciler.emulator.database import Database
from reconciler.emulator.wire import parse, text

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
    """What a listing asks for; None means any. ``start`` and ``end`` are epoch milliseconds, both included."""

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
    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(SCHEMA)

    def add(self, items: list[Item], project: str, visible_at: int) -> list[str]:
        """The ids of the items, in order; one that is there already keeps what was first sent."""
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
        """One page of event names with count and latest occurrence, the latest first; and how many names there are."""
        where, values = wanted.where()
        connection = self._database.connection
        total = connection.execute(f"SELECT count(DISTINCT name) FROM ces_event {where}", values).fetchone()[0]  # noqa: S608
        # SQLite takes the bare column from the row that holds the maximum.
        rows = connection.execute(
            f"SELECT name, count(*), max(time), source FROM ces_event {where}"  # noqa: S608
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
        """One page of events, the latest first; and how many there are."""
        where, values = wanted.where()
        connection = self._database.connection
        total = connection.execute(f"SELECT count(*) FROM ces_event {where}", values).fetchone()[0]  # noqa: S608
        rows = connection.execute(
            f"SELECT name, source, time, event_id, detail FROM ces_event {where}"  # noqa: S608
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
        users = connection.execute(f"SELECT DISTINCT user FROM ces_event {where} AND user <> '' ORDER BY 1", values)  # noqa: S608
        names = [user for (user,) in users]
        sources = connection.execute(f"SELECT DISTINCT source FROM ces_event {where} ORDER BY 1", values)  # noqa: S608
        return names, [source for (source,) in sources]

    def everything(self) -> list[dict[str, object]]:
        """All events stored, oldest first, also those that do not show yet."""
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
