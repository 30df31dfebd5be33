"""Salvage: a new ledger file made of the rows of a damaged one that are still what was written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from socket import gethostname

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.ledger import lease
from reconciler.ledger.database import connect, explained, open_surveyed
from reconciler.ledger.errors import damaged, ledger_error
from reconciler.ledger.lease import Present
from reconciler.ledger.liveness import BootTime, boot_time
from reconciler.ledger.projection import project
from reconciler.ledger.protocol import RunState
from reconciler.ledger.schema import migrate
from reconciler.ledger.survey import Survey, survey, without_begin


def salvage(path: Path, to: Path, now: int, clock: Callable[[], BootTime | None] = boot_time) -> Survey:
    """Write every sound row of the ledger at ``path`` to a new file ``to``; returns what was found.

    Raises DiagnosticError if ``to`` exists, if a run is active, or if no row of the file can be read.
    """
    with closing(open_surveyed(path)) as database, database.reading() as connection:
        _refuse_while_held(connection, path, Present(now, clock()))
        found = survey(connection)
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


def rebuild(connection: sqlite3.Connection, found: Survey, fence: int, old_rows: int) -> None:
    """Fill an empty database with the sound rows.

    If any is left out, what the others intend counts as sent: the row that says so may be the one that is missing.
    An intent without its run gets a stand-in, at no particular target.
    """
    migrate(connection)
    last = max(found.rows, default=0)
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", found.runs.values())
    homeless = {row.run: row.at for row in found.rows.values() if row.run is not None and row.run not in found.runs}
    connection.executemany(
        "INSERT INTO runs VALUES (?, ?, '', 'apply', ?, NULL, ?, NULL)",
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
    with suppress(sqlite3.Error, TypeError):  # a damaged lease has no holder
        holder = lease.current(connection, present, gethostname())
        if holder is not None:
            what = f"is in use: {holder.owner} on {holder.host} (process {holder.pid}) holds the lease"
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
