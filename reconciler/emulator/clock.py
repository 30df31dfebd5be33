"""The emulator's clock: another clock, shifted and scaled, so that tests move time instead of sleeping."""

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
    """Shows ``shown + (underlying - base) * speed``; stored in the database, so that all processes that share
    it agree.
    """

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
        """Show ``now`` from here on, running ``speed`` times as fast; None leaves either unchanged."""
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
