"""Snapshots: what a killed process finds at its next start."""

from __future__ import annotations

from reconciler.emulator.alertmanager.instant import SECOND
from reconciler.emulator.database import Database

INTERVAL = 900 * SECOND
"""How often Alertmanager writes its silences and its notification log; it also does so on an orderly stop."""


class Snapshot:
    """The rows of a table as last written to disk; call ``capture_if_due`` before every change."""

    def __init__(self, database: Database, table: str) -> None:
        self._database = database
        self._table = table
        self._taken_at = 0
        self._rows: list[tuple[object, ...]] = []

    def capture(self, now: int) -> None:
        self._taken_at = now
        self._rows = self._database.connection.execute(f"SELECT * FROM {self._table}").fetchall()  # noqa: S608 - ours

    def capture_if_due(self, now: int) -> None:
        if now - self._taken_at >= INTERVAL:
            self.capture(now - (now - self._taken_at) % INTERVAL if self._taken_at else now)

    def restore(self, now: int) -> None:
        """Discard what was not written to disk."""
        self.capture_if_due(now)
        with self._database.write() as connection:
            connection.execute(f"DELETE FROM {self._table}")  # noqa: S608 - ours
            if self._rows:
                places = ", ".join("?" * len(self._rows[0]))
                connection.executemany(f"INSERT INTO {self._table} VALUES ({places})", self._rows)  # noqa: S608 - ours
