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
    """One connection; created with the app, and used by the single thread that serves it.

    Raises ValueError if the file is not a database or is damaged, and OSError if its directory cannot be created.
    """

    def __init__(self, path: Path | str | None) -> None:
        if path is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            self.connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
            # The emulator's data must survive its process, but not a power failure: no fsync.
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
        """A transaction that takes the write lock at its start; an error rolls it back."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def close(self) -> None:
        self.connection.close()
