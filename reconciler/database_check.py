"""Checks a server's SQLite file before it serves: pages, texts, and JSON in the texts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Container
from pathlib import Path

MOST_BYTES = 64_000_000
"""A larger file is not checked as a whole."""
MEND = "put back a copy of it, move it away, or name another with --db"


def check_database(connection: sqlite3.Connection, path: Path | str, json_columns: Container[str] = ()) -> None:
    """Raise ValueError, with the table and the row if one is at fault, unless the file can be read.

    Columns named in ``json_columns`` (``table.column``) hold JSON texts. Nothing in the file changes.
    """
    (size,) = connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
    if size > MOST_BYTES:
        return
    try:
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        found, tables = str(error), []
    if found != "ok":
        raise damaged(path, str(found))
    for (table,) in tables:
        _check_rows(connection, path, table, json_columns)


def damaged(path: Path | str, what: str) -> ValueError:
    return ValueError(f"{path}: the database is damaged ({what}): {MEND}")


def _check_rows(connection: sqlite3.Connection, path: Path | str, table: str, json_columns: Container[str]) -> None:
    number = 0
    try:
        rows = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - the name comes from the file's schema
        names = [column[0] for column in rows.description]
        for row in rows:
            number += 1
            for name, value in zip(names, row, strict=True):
                if f"{table}.{name}" in json_columns and value is not None:
                    json.loads(value)
    except (sqlite3.Error, ValueError) as error:
        number += not isinstance(error, json.JSONDecodeError)  # the next row is the one that cannot be read
        raise damaged(path, f"row {number} of {table}: {error}") from None
