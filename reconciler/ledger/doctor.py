"""The doctor: what is the matter with a ledger file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from reconciler.ledger.database import connect, open_surveyed
from reconciler.ledger.projection import project
from reconciler.ledger.salvage import rebuild
from reconciler.ledger.survey import Survey, survey, without_begin

_MOST = 20  # complaints of SQLite about one file

_OPERATIONS = "SELECT key, intent, position, attempts, begun, begun_at, status, ended_at, confirmed_at, answer,"
_OPERATIONS += " service_id, type, name, instance, occurrence, target, place FROM operations ORDER BY key"

_UNSOUND = (sqlite3.Error, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)


class Findings(NamedTuple):
    """What an examination found: what SQLite says of the file, its rows, and whether the table of operations is what
    the journal makes of them.
    """

    path: Path
    complaints: tuple[str, ...]
    survey: Survey
    folds: bool

    @property
    def is_sound(self) -> bool:
        return not self.complaints and self.survey.is_whole and self.folds


def examine(path: Path) -> Findings:
    """Examine the ledger at ``path``; nothing in it changes. Raises DiagnosticError where none of it can be read."""
    with closing(open_surveyed(path)) as database:
        with database.reading() as connection:
            complaints = _complaints(connection)
            found = survey(connection)
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
    """Whether the operations are those that the journal makes; the connection is to a copy."""
    try:
        old_rows = without_begin(connection)
        project(connection)
        with closing(connect(":memory:")) as anew:
            rebuild(anew, found, 0, old_rows)
            return anew.execute(_OPERATIONS).fetchall() == connection.execute(_OPERATIONS).fetchall()
    except _UNSOUND:
        return False
