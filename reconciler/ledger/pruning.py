"""Pruning: removes from a ledger what is no longer needed, under its lease."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.ledger import lease, queries
from reconciler.ledger.codec import Row
from reconciler.ledger.database import open_file, read_file
from reconciler.ledger.kinds import open_store
from reconciler.ledger.lease import Present, boot_time
from reconciler.ledger.location import Location
from reconciler.ledger.projection import project
from reconciler.ledger.protocol import Holder, LeaseLostError, Ledger, Run, RunState, new_run_id
from reconciler.ledger.replica import Replica
from reconciler.ledger.retention import Limit, Surplus, find_surplus, without
from reconciler.ledger.store import Fence, JournalStore, Reading

COMMAND = "prune"
LIFETIME = 10 * 60_000
"""The lifetime (ms) of the lease during a prune."""

_UNSOUND = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)


class Amount(NamedTuple):
    """A number of runs, and of their operations."""

    runs: int
    operations: int


class Pruning(NamedTuple):
    """What a prune removes, and what it keeps."""

    removed: Amount
    kept: Amount


def preview_pruning(location: Location, limit: Limit) -> Pruning:
    """What ``prune_ledger`` would remove now, without changing anything. Raises DiagnosticError if a ledger is
    damaged.
    """
    if location.path is None:
        with closing(open_store(location, reading=True)) as store:
            reading = store.read(0)
            with _replayed(store, reading) as replica:
                return _examine(replica.connection, limit.at(reading.now))[1]
    with closing(read_file(location.path)) as database, _checked(str(location)):
        database.detach()
        with database.transaction() as connection:
            project(connection)
            return _examine(connection, limit)[1]


def prune_ledger(location: Location, holder: Holder, ledger: Ledger, limit: Limit) -> Pruning:
    """Remove what is no longer needed, and journal that this was done.

    Raises LeaseLostError unless the holder has the lease, and DiagnosticError if the ledger is damaged or cannot be
    written; the ledger is then unchanged.
    """
    run = Run(new_run_id(), "", COMMAND, limit.now, None, RunState.RUNNING, origin=holder.origin)
    ledger.begin(holder, run)
    ledger.end(run.id, RunState.DONE, limit.now)
    if location.path is None:
        with closing(open_store(location)) as store:
            return _prune_store(store, holder, limit)
    return _prune_file(location, holder, limit)


def _examine(connection: sqlite3.Connection, limit: Limit) -> tuple[Surplus, Pruning]:
    entries, runs = queries.all_entries(connection), queries.runs(connection)
    ids = dict(connection.execute("SELECT number, id FROM runs"))
    rows = connection.execute("SELECT step, run, at, body, payloads FROM journal WHERE step = 'intend'")
    surplus = find_surplus(entries, runs, (Row(row[0], ids[row[1]], *row[2:]) for row in rows), limit)
    removed = Amount(len(surplus.runs), len(surplus.operations))
    return surplus, Pruning(removed, Amount(len(runs) - removed.runs, len(entries) - removed.operations))


def _prune_file(location: Location, holder: Holder, limit: Limit) -> Pruning:
    """Rewrite the tables in place, numbered without gaps, since other processes may have the file open."""
    assert location.path is not None  # noqa: S101 - narrows a type
    with closing(open_file(location.path)) as database, _checked(str(location)):
        with database.transaction() as connection:
            lease.check(connection, holder, Present(limit.now, boot_time()))
            project(connection)
            surplus, found = _examine(connection, limit)
            if any(surplus):
                _rewrite(connection, surplus)
        with database.reading() as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return found


def _rewrite(connection: sqlite3.Connection, surplus: Surplus) -> None:
    (without_begin,) = connection.execute("SELECT without_begin FROM folded").fetchone()
    rows = [
        (number, left)
        for number, *columns in connection.execute("SELECT * FROM journal ORDER BY number").fetchall()
        if (left := without(_sound(Row(*columns)), surplus.operations)) is not None
    ]
    numbers = dict(connection.execute("SELECT number, id FROM runs ORDER BY number"))
    kept = [number for number, id in numbers.items() if id not in surplus.runs]
    renumbered = {number: place for place, number in enumerate(kept, 1)}
    connection.execute("DELETE FROM operations")
    connection.execute("DELETE FROM journal")
    connection.executemany(
        "DELETE FROM runs WHERE number = ?", [(number,) for number in numbers if number not in renumbered]
    )
    connection.executemany(
        "UPDATE runs SET number = ? WHERE number = ?", [(place, number) for number, place in renumbered.items()]
    )
    connection.executemany(
        "INSERT INTO journal (step, run, at, body, payloads, digest) VALUES (?, ?, ?, ?, ?, ?)",
        (row if row.run is None else row._replace(run=renumbered[int(row.run)]).sealed() for _, row in rows),
    )
    connection.execute(
        "UPDATE folded SET journal = 0, without_begin = ?", (sum(number <= without_begin for number, _ in rows),)
    )
    project(connection)


def _sound(row: Row) -> Row:
    row.check()
    return row


def _prune_store(store: JournalStore, holder: Holder, limit: Limit) -> Pruning:
    while True:
        reading = store.read(0)
        with _replayed(store, reading) as replica:
            surplus, found = _examine(replica.connection, limit.at(reading.now))
        if not any(surplus):
            return found
        rows = [
            stored._replace(row=left)
            for stored in reading.rows
            if stored.row.step not in ("run", "end") or stored.row.run not in surplus.runs
            if (left := without(stored.row, surplus.operations)) is not None
        ]
        with closing(Replica()) as left_over:
            left_over.add(rows)
            left_over.project()
            snapshot = left_over.snapshot()._replace(number=reading.last + 1)
        if store.compact(rows, snapshot, Fence(holder.fence, running=True)):
            return found
        held = store.lease()
        lease.check_holder(None if held is None else held.holder, holder)
        if held is not None and held.has_lapsed:
            raise LeaseLostError("the lease on this stack has lapsed: nothing was removed; prune again")


@contextmanager
def _replayed(store: JournalStore, reading: Reading) -> Iterator[Replica]:
    """The whole journal of a store, with its payloads."""
    with closing(Replica()) as replica, _checked(store.label):
        replica.add(reading.rows)
        replica.connection.execute("BEGIN")
        project(replica.connection)
        replica.connection.execute("COMMIT")
        yield replica


@contextmanager
def _checked(label: str) -> Iterator[None]:
    try:
        yield
    except _UNSOUND as error:
        summary = f"the ledger {label} is damaged: {error}"
        raise DiagnosticError(Diagnostic(summary, hint="examine it: reconciler ledger doctor")) from error
