"""A connection to a PostgreSQL database that reconnects, with a timeout on every wait."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, LiteralString, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import SECOND, format_duration
from reconciler.core.system_clock import monotonic, sleep
from reconciler.core.text import sanitize
from reconciler.ledger.store import FIRST, RESUME, RESUME_PAUSES

SCHEMA = "reconciler"
"""The default schema."""

CONNECT = 5 * SECOND
"""Connection timeout (ms)."""

ANSWER = 10 * SECOND
"""Response timeout (ms)."""

NOW: LiteralString = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
"""The database's clock in epoch milliseconds, as SQL."""

_TABLES = ("version", "stack", "journal", "snapshot", "document", "rate")
_RESUMED = ("08", "57P")
"""SQLSTATE prefixes of connection errors, and of a server that stops or starts."""

_SQLSTATES = {
    "28": ("rejected the credentials", "check the user and the password: PGPASSWORD, ~/.pgpass or the URL"),
    "3D": ("does not exist", "create the database, or correct its name in the URL"),
    "42501": ("denied permission to this user", "docs/ledger.md lists the rights that the ledger needs"),
    "25006": ("is read only", "name the primary server of the cluster in the URL"),
    "53100": ("cannot be written: its disk is full", "free some space, then run the command again"),
    "53300": ("accepts no more connections", "try again in a moment, or put a pooler in front of it"),
}

_Connection = psycopg.Connection[tuple[Any, ...]]
_Values = Sequence[object] | Mapping[str, object]
_T = TypeVar("_T")


class _BoundedConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that fails if a response does not arrive in time."""

    def wait(self, gen: Generator[Any, Any, _T], *arguments: Any, **named: Any) -> _T:
        return super().wait(_bounded(gen), *arguments, **named)


def _bounded(waits: Generator[Any, Any, _T]) -> Generator[Any, Any, _T]:
    until = monotonic() + ANSWER
    ready = None
    while True:
        try:
            wanted = waits.send(ready)
        except StopIteration as ended:
            found: _T = ended.value
            return found
        ready = yield wanted
        if not ready and monotonic() > until:
            raise psycopg.OperationalError(f"no answer within {format_duration(ANSWER)}")


class PostgresLink:
    """One connection to the database of a URL, for one thread at a time."""

    def __init__(self, url: str) -> None:
        self._conninfo, self.schema, self.label = _split(url)
        self._connection: _Connection | None = None
        self._was_connected = False
        self._down: DiagnosticError | None = None
        self._down_until = 0
        self._tables = {name: sql.Identifier(self.schema, f"ledger_{name}") for name in _TABLES}

    def qualified(self, table: str) -> str:
        """The qualified name of a table, as SQL text."""
        return self._tables[table].as_string(None)

    def statement(self, text: LiteralString, **parts: sql.Composable) -> sql.Composed:
        """The SQL statement for a text with placeholders such as ``{stack}`` for the ledger's tables."""
        return sql.SQL(text).format(**self._tables, **parts)

    def rows(self, statement: sql.SQL | sql.Composed, values: _Values) -> list[tuple[Any, ...]]:
        """Run a statement that may be repeated, and return its rows."""
        return self._resumed(lambda connection: connection.execute(statement, values).fetchall())

    def count(self, statement: sql.SQL | sql.Composed, values: _Values) -> int:
        """Run a statement that may be repeated, and return how many rows it wrote."""
        return int(self._resumed(lambda connection: connection.execute(statement, values).rowcount))

    def now(self) -> int:
        """The database's current time (epoch ms)."""
        return int(self.rows(sql.SQL("SELECT {}").format(sql.SQL(NOW)), ())[0][0])

    @contextmanager
    def transaction(self) -> Iterator[_Connection]:
        """Run several statements atomically; they are not retried."""
        try:
            connection = self._connected()
            with connection.transaction():
                yield connection
        except psycopg.Error as error:
            raise self._explained(error) from error

    def repeated(self, work: Callable[[_Connection], _T]) -> _T:
        """Run several statements atomically that may be repeated, again if the connection drops."""

        def run(connection: _Connection) -> _T:
            with connection.transaction():
                return work(connection)

        return self._resumed(run)

    def close(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _resumed(self, work: Callable[[_Connection], _T]) -> _T:
        """Run something that may be repeated, again if the connection drops. Raises DiagnosticError."""
        until = monotonic() + (RESUME if self._was_connected else FIRST)
        tries = 0
        if self._down is not None and monotonic() < self._down_until:
            raise self._down
        while True:
            try:
                return work(self._connected())
            except psycopg.Error as error:
                if not _is_dropped(error, self._connection):
                    raise self._explained(error) from error
                self.close()
                if monotonic() > until:
                    # Once the database is unreachable, the writes that end a run do not wait a second time.
                    self._down, self._down_until = self._explained(error), monotonic() + RESUME
                    raise self._down from error
                sleep(RESUME_PAUSES[min(tries, len(RESUME_PAUSES) - 1)])
                tries += 1

    def _connected(self) -> _Connection:
        if self._connection is None or self._connection.closed:
            self._connection = _BoundedConnection.connect(
                self._conninfo, autocommit=True, prepare_threshold=None, connect_timeout=CONNECT // SECOND
            )
            self._was_connected = True
        return self._connection

    def _explained(self, error: psycopg.Error) -> DiagnosticError:
        state = error.sqlstate or ""
        what, hint = next(
            (told for start, told in _SQLSTATES.items() if state.startswith(start)),
            ("cannot be used", None) if state else ("cannot be reached", "check the URL and the network"),
        )
        said = sanitize(" ".join(str(error).split()))
        return DiagnosticError(Diagnostic(f"the ledger {self.label} {what} ({said})", hint=hint))


def _is_dropped(error: psycopg.Error, connection: _Connection | None) -> bool:
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    if error.sqlstate is None:
        return connection is None or connection.closed or connection.broken or "no answer" in str(error)
    return error.sqlstate.startswith(_RESUMED) or error.sqlstate == "53300"


def _split(url: str) -> tuple[str, str, str]:
    """The URL for libpq, the schema, and the URL without credentials."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    schema = next((value for name, value in query if name == "schema" and value), SCHEMA)
    rest = urlencode([pair for pair in query if pair[0] != "schema"], quote_via=quote)
    conninfo = urlunsplit(parts._replace(query=rest))
    user, at, host = parts.netloc.rpartition("@")
    label = f"{parts.scheme}://{user.partition(':')[0]}{at}{host}{parts.path}"
    return conninfo, schema, label if schema == SCHEMA else f"{label}?schema={schema}"
