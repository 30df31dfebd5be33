"""Deliveries in a PostgreSQL database, which several receivers may share."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from reconciler.receive import sql
from reconciler.receive.store import Delivery, DeliveryQuery, Listening, Page, RetentionLimits, StoreError

CONNECT_S = 5
CHUNK = 1_000
_LOCK = 0x7265_6365_6976
"""The advisory lock for creating the tables."""
SCHEMA = sql.tables(identity="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", integer="BIGINT", binary="BYTEA")
_AGAIN = "count = d.count + 1, last_received_at = greatest(d.last_received_at, %(received_at)s)"
# The update comes first, so that a repeated delivery uses up no id; conflicts arise only between two receivers.
_ADD = f"""
WITH repeated AS (UPDATE receiver_delivery d SET {_AGAIN} WHERE identity = %(identity)s RETURNING id),
added AS (
    INSERT INTO receiver_delivery AS d (identity, source, received_at, last_received_at, receiver, status, message_id,
        group_key, truncated, sent_at, sender, peer, size, total, body)
    SELECT %(identity)s, %(source)s, %(received_at)s, %(received_at)s, %(receiver)s, %(status)s, %(message_id)s,
        %(group_key)s, %(truncated)s, %(sent_at)s, %(sender)s, %(peer)s, %(size)s, %(total)s, %(body)s
    WHERE NOT EXISTS (SELECT FROM repeated)
    ON CONFLICT (identity) DO UPDATE SET {_AGAIN}
    RETURNING id, xmax = 0 AS fresh
)
SELECT id, false FROM repeated UNION ALL SELECT id, fresh FROM added
"""  # noqa: S608 - constants
_ADD_ALERT = "INSERT INTO receiver_alert VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"

_Connection = psycopg.Connection[tuple[Any, ...]]


class PostgresDeliveryStore:
    """The tables ``receiver_*`` of a database. Raises ValueError if it cannot be used. Lost connections are
    reopened.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._writing, self._reading = _Link(url), _Link(url)
        try:
            with self._writing.transaction() as connection:
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                connection.execute(SCHEMA)
        except StoreError as error:
            raise ValueError(f"not a database the receiver can use: {error}") from None

    def add(self, batch: Sequence[Delivery]) -> list[bool]:
        # Sorted by identity, so that two receivers lock the same rows in the same order.
        order = sorted(range(len(batch)), key=lambda index: batch[index].identity)
        fresh = [False] * len(batch)
        with self._writing.transaction() as connection, connection.cursor() as cursor:
            cursor.executemany(_ADD, [sql.delivery_row(batch[index]) for index in order], returning=True)
            alerts: list[sql.Row] = []
            for index in order:
                row = cursor.fetchone()
                assert row is not None  # noqa: S101 - narrows a type
                number, fresh[index] = row
                if fresh[index]:
                    alerts += sql.alert_rows(number, batch[index].alerts)
                cursor.nextset()
            if alerts:
                cursor.executemany(_ADD_ALERT, alerts)
        return fresh

    def find(self, query: DeliveryQuery) -> Page:
        with self._reading.transaction() as connection:
            rows = connection.execute(*_statement(sql.find_deliveries(query, _mark))).fetchall()
            more, rows = len(rows) > query.limit, rows[: query.limit]
            numbers = [row[0] for row in rows]
            alerts = (
                connection.execute(*_statement(sql.find_alerts(query, numbers, _mark))).fetchall() if numbers else []
            )
            counted = connection.execute(*_statement(sql.count_truncated(query, _mark))).fetchone()
        return Page(sql.stored(rows, alerts), more, counted[0] if counted else 0)

    def body(self, number: int) -> bytes | None:
        with self._reading.transaction() as connection:
            row = connection.execute("SELECT body FROM receiver_delivery WHERE id = %s", (number,)).fetchone()
        return None if row is None or row[0] is None else bytes(row[0])

    def beat(self, started: int, now: int) -> None:
        with self._writing.transaction() as connection:
            connection.execute(
                "INSERT INTO receiver_listening AS l VALUES (%s, %s)"
                " ON CONFLICT (since) DO UPDATE SET until = greatest(l.until, excluded.until)",
                (started, now),
            )

    def listening(self, since: int) -> list[Listening]:
        with self._reading.transaction() as connection:
            rows = connection.execute(
                "SELECT since, until FROM receiver_listening WHERE until >= %s ORDER BY since", (since,)
            ).fetchall()
        return [Listening(*row) for row in rows]

    def expire(self, now: int, limits: RetentionLimits) -> bool:
        with self._writing.transaction() as connection:
            removed = connection.execute(
                "DELETE FROM receiver_delivery WHERE id IN (SELECT id FROM receiver_delivery"
                " WHERE last_received_at < %s OR id <= (SELECT max(id) FROM receiver_delivery) - %s"
                " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)",
                (now - limits.retention, limits.deliveries, CHUNK),
            ).rowcount
            emptied = connection.execute(
                "UPDATE receiver_delivery SET body = NULL WHERE id IN (SELECT id FROM receiver_delivery"
                " WHERE body IS NOT NULL AND received_at < %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)",
                (now - limits.body_retention, CHUNK),
            ).rowcount
            connection.execute("DELETE FROM receiver_listening WHERE until < %s", (now - limits.retention,))
        return max(removed, emptied) >= CHUNK

    def close(self) -> None:
        self._reading.close()
        self._writing.close()


class _Link:
    """One connection, opened on demand; one thread uses it at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._connection: _Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[_Connection]:
        try:
            with self._lock, self._connected() as connection, connection.transaction():
                yield connection
        except psycopg.Error as error:
            # The message of a failed connection has the host and the port, never a password.
            raise StoreError(str(error).strip() or type(error).__name__) from error

    @contextmanager
    def _connected(self) -> Iterator[_Connection]:
        if self._connection is None:
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_S)
            # A response means that a delivery is on disk, whatever the database's default setting.
            self._connection.execute("SET synchronous_commit = on")
        try:
            yield self._connection
        except psycopg.OperationalError:
            self._connection.close()
            self._connection = None
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def _statement(found: tuple[str, dict[str, object]]) -> tuple[Any, dict[str, object]]:
    return found


def _mark(name: str) -> str:
    return f"%({name})s"
