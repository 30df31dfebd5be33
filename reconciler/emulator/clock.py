"""The emulator's clock: somebody's clock, shifted and scaled, so that time is moved and not slept."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.emulator.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS clock (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    base INTEGER NOT NULL,      -- what the underlying clock said when this was set
    shown INTEGER NOT NULL,     -- what this clock said then
    speed REAL NOT NULL
);
"""


class Clock:
    """``shown + (underlying - base) * speed``; kept in the database, so that all processes on one file agree."""

    def __init__(self, database: Database, underlying: Callable[[], int]) -> None:
        self._database = database
        self.underlying = underlying
        database.create(SCHEMA)

    def now(self) -> int:
        """Epoch milliseconds."""
        return self._read()[0]

    def speed(self) -> float:
        return self._read()[1]

    def offset(self) -> int:
        """How many milliseconds this clock is ahead of the underlying one."""
        return self.now() - self.underlying()

    def set(self, *, now: int | None = None, speed: float | None = None) -> None:
        """Show ``now`` from here on and run ``speed`` times as fast; None keeps either as it is."""
        current, running = self._read()
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?)",
                (self.underlying(), current if now is None else now, running if speed is None else speed),
            )

    def reset(self) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM clock")

    def _read(self) -> tuple[int, float]:
        row = self._database.connection.execute("SELECT base, shown, speed FROM clock").fetchone()
        underlying = self.underlying()
        if row is None:
            return underlying, 1.0
        base, shown, speed = row
        return shown + int((underlying - base) * speed), speed
