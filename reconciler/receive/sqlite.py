"""Deliveries in an SQLite file: each batch is one transaction that is on the disk when ``add`` returns."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reconciler.database_check import MEND, check_database
from reconciler.receive import sql
from reconciler.receive.store import Delivery, DeliveryQuery, Listening, Page, RetentionLimits, StoreError

BUSY_MS = 5_000
VERSION = 1
CHUNK = 1_000
"""Deliveries removed in one step: senders wait meanwhile."""
SCHEMA = sql.tables(
    identity="INTEGER PRIMARY KEY AUTOINCREMENT", integer="INTEGER", binary="BLOB", options=" WITHOUT ROWID"
)
_REPEAT = """
UPDATE receiver_delivery SET count = count + 1, last_received_at = max(last_received_at, :received_at)
WHERE identity = :identity
"""
_ADD = """
INSERT INTO receiver_delivery (identity, source, received_at, last_received_at, receiver, status, message_id, group_key,
    truncated, sent_at, sender, peer, size, total, body)
VALUES (:identity, :source, :received_at, :received_at, :receiver, :status, :message_id, :group_key,
    :truncated, :sent_at, :sender, :peer, :size, :total, :body)
"""
_ADD_ALERT = "INSERT INTO receiver_alert VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class SqliteDeliveryStore:
    """One file, written by one receiver. Raises ValueError if the file is not a receiver's database."""

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._reading = threading.Lock()
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch(mode=0o600)  # bodies may be confidential
        try:
            self._writer = self._connect()
            check_database(self._writer, path)
            [version] = self._writer.execute("PRAGMA user_version").fetchone()
            if version not in (0, VERSION):
                raise ValueError(f"{path}: written by another version of the receiver (format {version})")
            # Set before the first table is created, so that expired deliveries free their space.
            self._writer.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
            self._reader = self._connect()
        except sqlite3.Error as error:
            raise ValueError(f"{path}: not a database the receiver can use: {error}; {MEND}") from None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        # FULL: a commit in WAL mode is synced to disk.
        connection.executescript(
            f"PRAGMA busy_timeout = {BUSY_MS}; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
        )
        return connection

    def add(self, batch: Sequence[Delivery]) -> list[bool]:
        fresh = []
        with self._write() as connection:
            for delivery in batch:
                row = sql.delivery_row(delivery)
                fresh.append(connection.execute(_REPEAT, row).rowcount == 0)
                if fresh[-1]:
                    number = connection.execute(_ADD, row).lastrowid
                    assert number is not None  # noqa: S101 - narrows a type
                    connection.executemany(_ADD_ALERT, sql.alert_rows(number, delivery.alerts))
        return fresh

    def find(self, query: DeliveryQuery) -> Page:
        with self._read() as connection:
            rows = connection.execute(*sql.find_deliveries(query, _mark)).fetchall()
            more, rows = len(rows) > query.limit, rows[: query.limit]
            alerts = connection.execute(*sql.find_alerts(query, [row[0] for row in rows], _mark)).fetchall()
            [truncated] = connection.execute(*sql.count_truncated(query, _mark)).fetchone()
            return Page(sql.stored(rows, alerts), more, truncated)

    def body(self, number: int) -> bytes | None:
        with self._read() as connection:
            row = connection.execute("SELECT body FROM receiver_delivery WHERE id = ?", (number,)).fetchone()
        return None if row is None or row[0] is None else bytes(row[0])

    def beat(self, started: int, now: int) -> None:
        with self._write() as connection:
            connection.execute(
                "INSERT INTO receiver_listening VALUES (?, ?)"
                " ON CONFLICT (since) DO UPDATE SET until = max(until, excluded.until)",
                (started, now),
            )

    def listening(self, since: int) -> list[Listening]:
        with self._read() as connection:
            rows = connection.execute(
                "SELECT since, until FROM receiver_listening WHERE until >= ? ORDER BY since", (since,)
            ).fetchall()
        return [Listening(*row) for row in rows]

    def expire(self, now: int, limits: RetentionLimits) -> bool:
        with self._write() as connection:
            removed = connection.execute(
                "DELETE FROM receiver_delivery WHERE id IN (SELECT id FROM receiver_delivery WHERE last_received_at < ?"
                " OR id <= (SELECT max(id) FROM receiver_delivery) - ? ORDER BY id LIMIT ?)",
                (now - limits.retention, limits.deliveries, CHUNK),
            ).rowcount
            emptied = connection.execute(
                "UPDATE receiver_delivery SET body = NULL WHERE id IN (SELECT id FROM receiver_delivery"
                " WHERE body IS NOT NULL AND received_at < ? LIMIT ?)",
                (now - limits.body_retention, CHUNK),
            ).rowcount
            connection.execute("DELETE FROM receiver_listening WHERE until < ?", (now - limits.retention,))
        self._writer.execute(f"PRAGMA incremental_vacuum({CHUNK})").fetchall()
        return max(removed, emptied) >= CHUNK

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise StoreError(str(error)) from error

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._reading:
                yield self._reader
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise StoreError(f"the database {self._path} cannot be read, or is damaged: {error}") from error


def _mark(name: str) -> str:
    return f":{name}"
