"""The store of alarm histories: filled by seeds, read by the calls."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.emulator.bcm.listing import Listing, SeededAlarm
from reconciler.emulator.database import Database
from reconciler.emulator.wire import parse, text

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
    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(SCHEMA)

    def put(self, alarms: Iterable[SeededAlarm]) -> None:
        """Add alarms, or replace those of the same id."""
        with self._database.write() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO bcm_alarm VALUES (?, ?, ?, ?, ?)",
                [(alarm.id, alarm.user, alarm.type, alarm.start, text(alarm.shown)) for alarm in alarms],
            )

    def find(self, listing: Listing) -> tuple[list[dict[str, object]], int]:
        """One page of alarms, and how many there are."""
        direction = "ASC" if listing.ascending else "DESC"
        rows = self._database.connection.execute(
            "SELECT shown FROM bcm_alarm WHERE type = ? AND start BETWEEN ? AND ? AND (user IS NULL OR user = ?)"  # noqa: S608
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
    assert isinstance(value, dict)
    return value
