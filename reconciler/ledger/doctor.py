"""The doctor: examines a ledger file, and salvages the sound rows of a damaged one."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from socket import gethostname
from typing import NamedTuple, TypeVar

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.ledger import lease, wal
from reconciler.ledger.codec import Row, check_run, decode_intent, decode_origin
from reconciler.ledger.database import connect, explained, log_of, open_surveyed, open_unlogged
from reconciler.ledger.errors import damaged, ledger_error
from reconciler.ledger.lease import BootTime, Present, boot_time
from reconciler.ledger.projection import project
from reconciler.ledger.protocol import RunState
from reconciler.ledger.schema import migrate

_SMALLEST_ROW = 64  # bytes; bounds the number of rows in a file if nothing else does

_UNSOUND = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError, sqlite3.Error)

_T = TypeVar("_T")

RunRow = tuple[int, str, str, str, int, int | None, str, str | None, str | None, str | None]
"""A row of the table ``runs``, in column order."""


class Survey(NamedTuple):
    """The sound rows of a file by number, and what is wrong with each of the others.

    ``end_known`` is false if the journal may have had rows after the last readable one.
    """

    runs: Mapping[int, RunRow]
    rows: Mapping[int, Row]
    unsound_runs: Mapping[int, str]
    unsound_rows: Mapping[int, str]
    end_known: bool
    lost: str | None = None
    """What is wrong with the write-ahead log, so that later rows may be lost."""

    @property
    def is_whole(self) -> bool:
        return self.end_known and self.lost is None and not self.unsound_runs and not self.unsound_rows


def survey(connection: sqlite3.Connection) -> Survey:
    """Read every row of a file of the newest schema. A number without a row is unsound unless the file was salvaged."""
    gaps = without_begin(connection)
    runs, unsound_runs, runs_end = _each(connection, "runs", partial(_run, connection), sys.maxsize if gaps else 0)
    rows, unsound_rows, rows_end = _each(connection, "journal", partial(_row, connection), gaps)
    return Survey(runs, rows, unsound_runs, unsound_rows, runs_end and rows_end)


def without_begin(connection: sqlite3.Connection) -> int:
    """The last row before which the journal does not record when sending began, since it was salvaged or written by an
    older version; 0 if unknown.
    """
    try:
        return int(connection.execute("SELECT without_begin FROM folded").fetchone()[0])
    except _UNSOUND:
        return 0


def _each(
    connection: sqlite3.Connection, table: str, read: Callable[[int], _T | None], gaps: int
) -> tuple[dict[int, _T], dict[int, str], bool]:
    last = _last(connection, table)
    sound: dict[int, _T] = {}
    unsound: dict[int, str] = {}
    for number in range(1, (_capacity(connection) if last is None else last) + 1):
        try:
            found = read(number)
            if found is not None:
                sound[number] = found
            elif number > gaps:
                unsound[number] = "is missing"
        except _UNSOUND as error:
            unsound[number] = str(error)
    end = max(sound, default=0) if last is None else last
    return sound, {number: why for number, why in unsound.items() if number <= end}, last is not None


def _last(connection: sqlite3.Connection, table: str) -> int | None:
    """The highest number in a table; None if it cannot be read, or is implausible."""
    try:
        (found,) = connection.execute(f"SELECT coalesce(max(number), 0) FROM {table}").fetchone()  # noqa: S608 - constants
        return found if found <= _capacity(connection) else None
    except _UNSOUND:
        return None


def _capacity(connection: sqlite3.Connection) -> int:
    (size,) = connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
    return int(size) // _SMALLEST_ROW


def _run(connection: sqlite3.Connection, number: int) -> RunRow | None:
    found = connection.execute(
        "SELECT number, id, plan_id, command, started_at, ended_at, state, targets, origin, digest"
        " FROM runs WHERE number = ?",
        (number,),
    ).fetchone()
    if found is None:
        return None
    *texts, started_at, ended_at, state, targets, origin, digest = found[1:]
    RunState(state)
    if not all(isinstance(text, str) for text in texts) or not isinstance(json.loads(targets or "{}"), dict):
        raise ValueError("holds a value of another type")
    decode_origin(origin)
    check_run(digest, *texts, targets, origin)
    if not isinstance(started_at, int) or not isinstance(ended_at, int | None):
        raise ValueError("holds an instant that is no number")
    row: RunRow = found
    return row


def _row(connection: sqlite3.Connection, number: int) -> Row | None:
    found = connection.execute(
        "SELECT step, run, at, body, payloads, digest FROM journal WHERE number = ?", (number,)
    ).fetchone()
    if found is None:
        return None
    row = Row(*found)
    row.check()
    if row.step == "intend":
        decode_intent(row.body, row.payloads)
    else:
        json.loads(row.body)
    return row


def salvage(path: Path, to: Path, now: int, clock: Callable[[], BootTime | None] = boot_time) -> Survey:
    """Write every sound row of the ledger at ``path`` to a new file ``to``; returns the survey.

    Raises DiagnosticError if ``to`` exists, if a run is active, or if no row can be read.
    """
    log = wal.find_damage(log_of(path))
    with closing(open_surveyed(path)) as database, database.reading() as connection:
        _refuse_while_held(connection, path, Present(now, clock()))
        found = survey(connection)._replace(lost=log)
        if log is not None:
            found = _with_unlogged(found, path)
        if not found.is_whole and not found.runs and not found.rows:
            raise damaged(path, "no row of it can be read")
        fence = _fence(connection)
        old_rows = without_begin(connection)
    with explained(to):
        _create(to)
        try:
            with closing(connect(f"{to.absolute().as_uri()}?mode=rw")) as copy:
                rebuild(copy, found, fence, old_rows)
        except BaseException as error:
            to.unlink()
            if isinstance(error, (KeyError, TypeError, ValueError)):
                raise damaged(path, str(error)) from error
            raise
    return found


def _with_unlogged(found: Survey, path: Path) -> Survey:
    """Add the rows that the file holds without its damaged log to a survey.

    An inconsistent log can hide rows of the file, which may be newer than the log's.
    """
    try:
        with closing(open_unlogged(path)) as database, database.reading() as connection:
            alone = survey(connection)
    except (DiagnosticError, sqlite3.Error):
        return found
    rows, runs = dict(sorted({**alone.rows, **found.rows}.items())), dict(sorted({**alone.runs, **found.runs}.items()))
    return found._replace(
        rows=rows,
        runs=runs,
        unsound_rows={number: why for number, why in found.unsound_rows.items() if number not in rows},
        unsound_runs={number: why for number, why in found.unsound_runs.items() if number not in runs},
    )


def rebuild(connection: sqlite3.Connection, found: Survey, fence: int, old_rows: int) -> None:
    """Fill an empty database with the sound rows.

    If any row is missing, the intents of the other rows count as sent, since the missing row may be the one that says
    so. An intent without its run gets a placeholder run without targets.
    """
    migrate(connection)
    last = max(found.rows, default=0)
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", found.runs.values())
    homeless = {row.run: row.at for row in found.rows.values() if row.run is not None and row.run not in found.runs}
    connection.executemany(
        "INSERT INTO runs VALUES (?, ?, '', 'apply', ?, NULL, ?, NULL, NULL, NULL)",
        [(number, f"lost-{number}", at, RunState.PARTIAL.value) for number, at in homeless.items()],
    )
    connection.executemany(
        "INSERT INTO journal (number, step, run, at, body, payloads, digest) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(number, *row) for number, row in found.rows.items()],
    )
    connection.execute("UPDATE folded SET without_begin = ?", (old_rows if found.is_whole else last,))
    connection.execute("UPDATE lease SET fence = ?", (fence,))
    project(connection)
    connection.execute("COMMIT")


def _refuse_while_held(connection: sqlite3.Connection, path: Path, present: Present) -> None:
    with suppress(sqlite3.Error, TypeError):  # a damaged lease row has no holder
        holder = lease.current(connection, present, gethostname())
        if holder is not None:
            what = f"is in use: {holder} holds the lease"
            raise ledger_error(path, what, "wait until that run is over")


def _fence(connection: sqlite3.Connection) -> int:
    with suppress(sqlite3.Error, TypeError, ValueError):
        return int(connection.execute("SELECT fence FROM lease").fetchone()[0])
    return 0


def _create(to: Path) -> None:
    try:
        os.close(os.open(to, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        hint = "name a file that does not exist: nothing is overwritten"
        raise DiagnosticError(Diagnostic(f"{to} exists", hint=hint)) from None


_MOST = 20  # the number of SQLite's messages per file

_OPERATIONS = "SELECT key, intent, position, attempts, begun, begun_at, status, ended_at, confirmed_at, shown, answer,"
_OPERATIONS += " service_id, type, name, instance, occurrence, target, place FROM operations ORDER BY key"


class Findings(NamedTuple):
    """The result of an examination: SQLite's own messages, the survey of rows, and whether the operations table agrees
    with the journal.
    """

    path: Path
    complaints: tuple[str, ...]
    survey: Survey
    folds: bool

    @property
    def is_sound(self) -> bool:
        return not self.complaints and self.survey.is_whole and self.folds


def examine(path: Path) -> Findings:
    """Examine the ledger at ``path`` without changing it. Raises DiagnosticError if none of it can be read."""
    log = wal.find_damage(log_of(path))
    with closing(open_surveyed(path)) as database:
        with database.reading() as connection:
            complaints = _complaints(connection)
            found = survey(connection)._replace(lost=log)
        if complaints or not found.is_whole:
            return Findings(path, complaints, found, folds=False)
        database.detach()
        with database.reading() as connection:
            return Findings(path, complaints, found, folds=_folds(connection, found))


def _complaints(connection: sqlite3.Connection) -> tuple[str, ...]:
    try:
        told = [str(text) for (text,) in connection.execute(f"PRAGMA integrity_check({_MOST:d})")]
    except sqlite3.Error as error:
        return (str(error),)
    return () if told == ["ok"] else tuple(told)


def _folds(connection: sqlite3.Connection, found: Survey) -> bool:
    """Whether projecting the journal gives the stored operations; the connection is to a copy."""
    try:
        old_rows = without_begin(connection)
        project(connection)
        with closing(connect(":memory:")) as anew:
            rebuild(anew, found, 0, old_rows)
            return anew.execute(_OPERATIONS).fetchall() == connection.execute(_OPERATIONS).fetchall()
    except _UNSOUND:
        return False
