"""The database: one SQLite connection, in memory or on a file that several processes share."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.database_check import MEND, check_database

BUSY_MS = 10_000
JSON_COLUMNS = frozenset(
    f"{table}.{column}"
    for table, columns in {
        "aom_event": ("metadata", "annotations", "attach_rule"),
        "aom_pending": ("reports",),
        "aom_notification_rule": ("rule",),
        "bcm_alarm": ("shown",),
        "ces_event": ("detail",),
        "alertmanager_alert": ("alert",),
        "alertmanager_notification": ("entry",),
        "alertmanager_silence": ("silence",),
    }.items()
    for column in columns
)


class Database:
    """Opened by whoever makes the app, used by the one thread that serves it.

    ValueError when the file is not a database, or damaged; OSError when its directory cannot be made.
    """

    def __init__(self, path: Path | str | None) -> None:
        if path is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            self.connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
            # An emulator's data must outlive its process, not the machine's power: no fsync.
            self.connection.executescript(
                f"PRAGMA busy_timeout = {BUSY_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
                "PRAGMA temp_store = MEMORY;"
            )
        except sqlite3.Error as error:
            raise ValueError(f"{path}: not a database the emulator can use: {error}; {MEND}") from None
        if path is not None:
            check_database(self.connection, path, JSON_COLUMNS)

    def create(self, schema: str) -> None:
        """Run ``CREATE ... IF NOT EXISTS`` statements."""
        self.connection.executescript(schema)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its beginning; an error undoes it."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def close(self) -> None:
        self.connection.close()
