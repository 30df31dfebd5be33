"""Copying a stack's ledger from one place to another: verified, resumable, and refused while a run holds either
lease.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.files import write_text
from reconciler.ledger import schema
from reconciler.ledger.codec import Row, encode_begin
from reconciler.ledger.database import connect, explained, read_file
from reconciler.ledger.kinds import open_store
from reconciler.ledger.location import Location, open_at
from reconciler.ledger.projection import project
from reconciler.ledger.protocol import Holder, LeaseLostError
from reconciler.ledger.queries import LONGEST_RUN, runs
from reconciler.ledger.replica import Replica, run_row
from reconciler.ledger.store import Fence, JournalStore

LIFETIME = 10 * 60_000
"""The lifetime (ms) of both leases during a copy."""

_CHUNK_ROWS = 200
_CHUNK_BYTES = 4_000_000

_STATES = (
    "SELECT key, position, attempts, begun_at, status, ended_at, confirmed_at, shown, answer, service_id, type, name,"
    " instance, occurrence, target FROM operations ORDER BY key"
)


class Copied(NamedTuple):
    """What a copy wrote; ``there`` counts rows that an earlier, interrupted copy had written."""

    rows: int
    there: int
    documents: int


def copy_ledger(source: Location, target: Location, owner: str, host: str, now: int) -> Copied:
    """Copy a stack's ledger; rows from an interrupted copy are kept.

    Raises DiagnosticError if the target holds something else, or if the copy differs from the source, and
    LeaseHeldError if another run holds the lease at either place.
    """
    with ExitStack() as resources:
        if source.path is not None and not source.path.exists():
            raise DiagnosticError(Diagnostic(f"there is no ledger {source}", hint="check the path"))
        resources.enter_context(_held(source, owner, host, now))
        rows = list(journal_rows(source))
        if target.path is not None:
            documents = _documents(source)
            write_file(rows, target.path)
            _put_files(documents, target.path)
            there = 0
        else:
            holder = resources.enter_context(_held(target, owner, host, now))
            with closing(open_store(target)) as store:
                there = _append(rows, store, holder, target)
                documents = _documents(source)
                for name, text in documents.items():
                    store.put_document(name, text)
        if _states(source) != _states(target):
            raise DiagnosticError(
                Diagnostic(f"the copy {target} is not what {source} is", hint="do not use it; report this as a bug")
            )
    return Copied(len(rows), there, len(documents))


@contextmanager
def _held(location: Location, owner: str, host: str, now: int) -> Iterator[Holder]:
    with closing(open_at(location)) as ledger:
        holder = ledger.acquire(owner, host, os.getpid(), now, LIFETIME)
        try:
            yield holder
        finally:
            ledger.release(holder)


def journal_rows(location: Location) -> Iterator[Row]:
    """The journal as a shared store keeps it, with runs named by their ids."""
    if location.path is None:
        with closing(open_store(location, reading=True)) as store:
            for _, _, row in store.read(0).rows:
                row.check()
                yield row
        return
    with closing(read_file(location.path)) as database, database.reading() as connection:
        (without_begin,) = connection.execute("SELECT without_begin FROM folded").fetchone()
        for run in reversed(runs(connection)):
            yield run_row(run, run.started_at).sealed()
        ids = dict(connection.execute("SELECT number, id FROM runs"))
        for number, *columns in connection.execute("SELECT * FROM journal ORDER BY number"):
            row = Row(*columns)
            row.check()
            yield row._replace(run=None if row.run is None else ids[row.run]).sealed()
            if row.step == "intend" and number <= without_begin:
                # Versions before this one did not record when sending began: assume "until its deadline", as the file
                # ledger does.
                keys = [key for (key,) in connection.execute("SELECT value FROM json_each(?, '$.key')", (row.body,))]
                yield Row("begin", None, row.at + LONGEST_RUN, encode_begin(keys, None, None)).sealed()


def _append(rows: Sequence[Row], store: JournalStore, holder: Holder, target: Location) -> int:
    """Append the rows that are missing; returns how many were there."""
    found = store.read(0).rows
    if [stored.row.digest for stored in found] != [row.digest for row in rows[: len(found)]]:
        summary = f"the ledger {target} contains other runs of the stack {target.stack}"
        raise DiagnosticError(Diagnostic(summary, hint="copy to a place that is empty, or has part of this copy"))
    last = found[-1].number if found else 0
    for chunk in _chunks(rows[len(found) :]):
        if not store.append(chunk, last, Fence(holder.fence, running=True)):
            raise LeaseLostError(f"the lease on the stack {target.stack} at {target} was lost: copy again")
        last += len(chunk)
    return len(found)


def _chunks(rows: Sequence[Row]) -> Iterator[list[Row]]:
    waiting = iter(rows)
    while chunk := list(islice(waiting, 1)):
        size = _size(chunk[0])
        while size < _CHUNK_BYTES and len(chunk) < _CHUNK_ROWS and (more := list(islice(waiting, 1))):
            chunk += more
            size += _size(more[0])
        yield chunk


def _size(row: Row) -> int:
    return len(row.body) + len(row.payloads or "")


def write_file(rows: Sequence[Row], path: Path, *, fence: int = 0, replace: bool = False) -> None:
    """Write rows to a new ledger file, atomically. Raises DiagnosticError if the file exists, unless ``replace``."""
    if path.exists() and not replace:
        hint = "name a place without a ledger of this stack: nothing is overwritten"
        raise DiagnosticError(Diagnostic(f"{path} exists", hint=hint))
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        new.unlink(missing_ok=True)
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            with closing(connect(f"{new.absolute().as_uri()}?mode=rw")) as connection:
                _fill(connection, rows, fence)
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise


def _fill(connection: sqlite3.Connection, rows: Sequence[Row], fence: int) -> None:
    replica = Replica()
    with closing(replica):
        replica.load(rows)
        schema.migrate(connection)
        found = replica.connection.execute("SELECT * FROM runs ORDER BY number").fetchall()
        numbers = {run[0]: place for place, run in enumerate(found, 1)}
        journal = replica.connection.execute("SELECT step, run, at, body, payloads FROM journal ORDER BY number")
        connection.execute("BEGIN IMMEDIATE")
        columns = ", ".join("?" * len(found[0])) if found else ""
        connection.executemany(
            f"INSERT INTO runs VALUES ({columns})",  # noqa: S608 - placeholders
            [(numbers[run[0]], *run[1:]) for run in found],
        )
        connection.executemany(
            "INSERT INTO journal (step, run, at, body, payloads, digest) VALUES (?, ?, ?, ?, ?, ?)",
            (Row(step, None if run is None else numbers[run], *rest).sealed() for step, run, *rest in journal),
        )
        connection.execute("UPDATE lease SET fence = ?", (fence,))
        project(connection)
        connection.execute("COMMIT")


def _states(location: Location) -> list[tuple[object, ...]]:
    """The state of every operation."""
    if location.path is not None:
        with closing(read_file(location.path)) as database:
            database.detach()
            with database.reading() as connection:
                project(connection)
                return connection.execute(_STATES).fetchall()
    with closing(open_store(location, reading=True)) as store, closing(Replica()) as replica:
        replica.add(store.read(0).rows)
        replica.project()
        return replica.connection.execute(_STATES).fetchall()


def _documents(location: Location) -> dict[str, str]:
    """The drill records that belong to the ledger."""
    if location.path is not None:
        files = sorted((location.path.parent / "drills").glob("*.json"))
        return {f"drills/{file.name}": file.read_text(encoding="utf-8") for file in files}
    with closing(open_store(location, reading=True)) as store:
        return dict(store.documents("drills/"))


def _put_files(documents: dict[str, str], path: Path) -> None:
    for name, text in documents.items():
        file = path.parent / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, text)
