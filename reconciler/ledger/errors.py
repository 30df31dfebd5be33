"""Ledger errors as diagnostics that say what happened and what to do."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from reconciler.core.diagnostic import Diagnostic, DiagnosticError

_SAFE = "then run the command again: nothing is sent before its intent is in the ledger"

_FORGET = (
    "put back a copy of the file, save what is left with `reconciler ledger salvage`, or move it away and start again:"
    " alarms are found again at the service by their marks,"
    " but which events were recorded is known only as far back as the service shows"
)

_SQLITE = {
    sqlite3.SQLITE_NOTADB: ("is not a ledger: it is not a SQLite database", "check the path, or move the file away"),
    sqlite3.SQLITE_CORRUPT: ("is damaged", _FORGET),
    sqlite3.SQLITE_FULL: ("cannot be written: the disk is full", f"free some space, {_SAFE}"),
    sqlite3.SQLITE_READONLY: ("cannot be written: it is read-only", f"make the file writable, {_SAFE}"),
    sqlite3.SQLITE_PERM: ("cannot be opened: permission denied", "check who owns the file and its directory"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check that the file and its directory can be read and written"),
    sqlite3.SQLITE_BUSY: ("is locked by another process", "try again in a moment"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", f"check the disk and the space left on it, {_SAFE}"),
}

_SYSTEM = {
    errno.EACCES: ("permission denied", "check who owns the directory, or run where it can be written"),
    errno.EPERM: ("permission denied", "check who owns the directory, or run where it can be written"),
    errno.EROFS: (
        "the file system is read-only",
        "run apply where the directory can be written; plan works without a ledger",
    ),
    errno.ENOSPC: ("the disk is full", f"free some space, {_SAFE}"),
    errno.ENOTDIR: ("a part of its path is a file, not a directory", "move that file away"),
    errno.EEXIST: ("a part of its path is a file, not a directory", "move that file away"),
    errno.EISDIR: ("there is a directory of that name", "move that directory away"),
}


def to_diagnostic(error: sqlite3.Error | OSError, path: Path) -> DiagnosticError:
    """The diagnostic for an error raised while opening, reading or writing the ledger at ``path``."""
    if isinstance(error, OSError):
        why, hint = _SYSTEM.get(error.errno or 0, (error.strerror or str(error), None))
        return ledger_error(path, f"cannot be opened: {why}", hint)
    code = getattr(error, "sqlite_errorcode", None)
    what, hint = _SQLITE.get(code & 0xFF if isinstance(code, int) else -1, ("cannot be used", None))
    return ledger_error(path, f"{what} ({error})", hint)


def newer(path: Path, found: int, known: int) -> DiagnosticError:
    """The file was written by a newer version of the tool."""
    return ledger_error(
        path,
        f"was written by a newer reconciler: its format is {found}, this one reads up to {known}",
        "upgrade reconciler, and do not go back to this one for this stack",
    )


def not_a_ledger(path: Path) -> DiagnosticError:
    """The file is another program's SQLite database."""
    return ledger_error(
        path, "is not a ledger: it is another program's SQLite database", "check the path, or move the file away"
    )


def unwritable(path: Path, why: str) -> DiagnosticError:
    """An operation that cannot be encoded for the file."""
    return ledger_error(path, f"cannot hold an operation: {why}", "look for unusual characters in the configuration")


def damaged(path: Path, what: str) -> DiagnosticError:
    """The SQLite file is sound, but its content is inconsistent."""
    return ledger_error(path, f"is damaged: {what}", _FORGET)


def ledger_error(path: Path, what: str, hint: str | None) -> DiagnosticError:
    """A diagnostic about the ledger at ``path``."""
    return DiagnosticError(Diagnostic(f"the ledger {path} {what}", hint=hint))
