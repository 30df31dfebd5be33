"""A survey of a ledger file: which rows are still what was written, whatever happened to the others.

Each row is fetched by its number, so that a page that cannot be read costs only the rows on it.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, TypeVar

from reconciler.ledger.codec import Intent, Row, decode_intent
from reconciler.ledger.protocol import RunState

_SMALLEST_ROW = 64  # bytes: how many rows a file can hold at the most where nothing else tells

_UNSOUND = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError, sqlite3.Error)

_T = TypeVar("_T")

RunRow = tuple[int, str, str, str, int, int | None, str, str | None]
"""A row of the table ``runs``, in the order of its columns."""


class Survey(NamedTuple):
    """The sound rows of a file by number, and why each of the others is not; ``end_known`` is false where the journal
    may have gone on after its last readable row.
    """

    runs: Mapping[int, RunRow]
    rows: Mapping[int, Row]
    unsound_runs: Mapping[int, str]
    unsound_rows: Mapping[int, str]
    end_known: bool

    @property
    def is_whole(self) -> bool:
        return self.end_known and not self.unsound_runs and not self.unsound_rows


def survey(connection: sqlite3.Connection) -> Survey:
    """Read every row of a file of the newest schema. A number without a row is unsound unless the file was salvaged."""
    gaps = without_begin(connection)
    runs, unsound_runs, runs_end = _each(connection, "runs", partial(_run, connection), sys.maxsize if gaps else 0)
    rows, unsound_rows, rows_end = _each(connection, "journal", partial(_row, connection), gaps)
    return Survey(runs, rows, unsound_runs, unsound_rows, runs_end and rows_end)


def without_begin(connection: sqlite3.Connection) -> int:
    """Up to which row the journal does not say when sending began, being salvaged or of an older version; 0 if that
    cannot be read.
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
    """The highest number in a table; None if it cannot be read, or cannot be true."""
    try:
        (found,) = connection.execute(f"SELECT coalesce(max(number), 0) FROM {table}").fetchone()  # noqa: S608
        return found if found <= _capacity(connection) else None
    except _UNSOUND:
        return None


def _capacity(connection: sqlite3.Connection) -> int:
    (size,) = connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
    return int(size) // _SMALLEST_ROW


def _run(connection: sqlite3.Connection, number: int) -> RunRow | None:
    found = connection.execute(
        "SELECT number, id, plan_id, command, started_at, ended_at, state, targets FROM runs WHERE number = ?",
        (number,),
    ).fetchone()
    if found is None:
        return None
    *texts, started_at, ended_at, state, targets = found[1:]
    RunState(state)
    if not all(isinstance(text, str) for text in texts) or not isinstance(json.loads(targets or "{}"), dict):
        raise ValueError("holds a value of another type")
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
        decode_intent(Intent(row.body, row.payloads or ""))
    else:
        json.loads(row.body)
    return row
