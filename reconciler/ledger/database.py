"""The database: one connection to a ledger file, its transactions, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock

from reconciler.core.duration import SECOND, in_seconds
from reconciler.core.system_clock import monotonic, sleep
from reconciler.ledger import schema
from reconciler.ledger.errors import damaged, newer, not_a_ledger, to_diagnostic

_BUSY_TIMEOUT = 10 * SECOND  # to wait for another process's lock
_CHECKED_BYTES = 256_000_000  # larger files get no full check on opening: it takes 2 ms per MB
_CHECKPOINT = 4_000  # pages (16 MB) in the write-ahead log before a checkpoint


class Database:
    """One SQLite connection that any number of threads may use.

    A lock serializes access: ``transaction`` holds it until the block ends. Transactions nest; only the outermost one
    is made durable.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._lock = RLock()
        self.path = path

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run statements atomically; what was written is on disk when the outermost block ends."""
        with self._lock, explained(self.path):
            connection = self._connection
            nested = connection.in_transaction
            connection.execute("SAVEPOINT step" if nested else "BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("RELEASE step" if nested else "COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK TO step" if nested else "ROLLBACK")
                    if nested:
                        connection.execute("RELEASE step")
                raise

    def write(self, statement: str, values: Sequence[object]) -> int:
        """Run one statement atomically; what it wrote is on disk when this returns, or when the outermost transaction
        ends. Returns how many rows it wrote.
        """
        with self._lock, explained(self.path):
            return self._connection.execute(statement, values).rowcount

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Run queries."""
        with self._lock, explained(self.path):
            yield self._connection

    def detach(self) -> None:
        """Continue on a copy in memory, which can be written without changing the file."""
        with self._lock, explained(self.path):
            copy = connect(":memory:")
            self._connection.backup(copy)
            self._connection.close()
            self._connection = copy

    def forbid_writes(self) -> None:
        with self._lock:
            self._connection.execute("PRAGMA query_only = ON")

    def close(self) -> None:
        with self._lock, explained(self.path):
            self._connection.close()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Convert errors of the file or the disk to diagnostics; other errors pass through."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except UnicodeDecodeError as error:
        raise damaged(path, f"a text in it is not UTF-8 ({error})") from error
    except (sqlite3.Error, OSError) as error:
        raise to_diagnostic(error, path) from error


def open_file(path: Path) -> Database:
    """Open a ledger for writing: created if missing, readable by its owner only, and migrated to the newest schema."""
    with explained(path):
        _prepare(path)
        _check_log(path)
        connection = connect(f"{path.absolute().as_uri()}?mode=rw")
        with _closed_on_error(connection):
            _check(connection, path)
            _log_ahead(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT:d}")
            schema.migrate(connection)
    return Database(connection, path)


def read_file(path: Path) -> Database:
    """Open an existing ledger read-only; the file does not change."""
    with explained(path):
        _check_log(path)
        connection = _connect_reading(path)
        with _closed_on_error(connection):
            _check(connection, path)
            database = Database(connection, path)
            if schema.version(connection) != schema.VERSION:
                database.detach()
                with database.reading() as copy:
                    schema.migrate(copy)
    return database


def open_surveyed(path: Path) -> Database:
    """Open a ledger that may be damaged, read-only: only its application id and its version are checked.

    If the write-ahead log is damaged, its sound part is read from a copy.
    """
    from reconciler.ledger import wal

    log = log_of(path)
    if wal.find_damage(log) is not None:
        with explained(path), TemporaryDirectory(prefix="reconciler-") as directory:
            whole = Path(directory) / path.name
            whole.write_bytes(path.read_bytes())
            log_of(whole).write_bytes(wal.without_damage(log.read_bytes()))
            database = open_surveyed(whole)
            database.path = path
            database.detach()
            return database
    with explained(path):
        connection = _connect_reading(path)
        with _closed_on_error(connection):
            if schema.is_foreign(connection):
                raise not_a_ledger(path)
            found = schema.version(connection)
            if found > schema.VERSION:
                raise newer(path, found, schema.VERSION)
            database = Database(connection, path)
            if found != schema.VERSION:
                database.detach()
                with database.reading() as copy:
                    schema.migrate(copy)
    return database


def open_unlogged(path: Path) -> Database:
    """Open a copy of a ledger that may be damaged, without its write-ahead log, read-only."""
    with explained(path), TemporaryDirectory(prefix="reconciler-") as directory:
        alone = Path(directory) / path.name
        alone.write_bytes(path.read_bytes())
        database = open_surveyed(alone)
        database.path = path
        database.detach()
        return database


def open_memory() -> Database:
    """A new writable ledger in memory."""
    connection = connect(":memory:")
    schema.migrate(connection)
    return Database(connection, Path(":memory:"))


def empty(path: Path) -> Database:
    """An empty read-only ledger in memory."""
    connection = connect(":memory:")
    schema.migrate(connection)
    database = Database(connection, path)
    database.forbid_writes()
    return database


def connect(uri: str) -> sqlite3.Connection:
    """Open a connection in autocommit mode, to a file by its URI or to ``:memory:``."""
    connection = sqlite3.connect(
        uri,
        uri=uri.startswith("file:"),
        timeout=in_seconds(_BUSY_TIMEOUT),
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _connect_reading(path: Path) -> sqlite3.Connection:
    """Open a file read-only.

    In a directory that cannot be written SQLite cannot create its shared memory: the file is then read as immutable,
    which is safe as long as there is no write-ahead log beside it.
    """
    uri = path.absolute().as_uri()
    connection = connect(f"{uri}?mode=ro")
    try:
        schema.version(connection)
        connection.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.OperationalError:
        connection.close()
        if _has_log(path):
            raise
        connection = connect(f"{uri}?mode=ro&immutable=1")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def log_of(path: Path) -> Path:
    """The write-ahead log of a ledger file."""
    return path.with_name(f"{path.name}-wal")


def _has_log(path: Path) -> bool:
    """Whether there is a log that is not empty: a reader leaves an empty one."""
    try:
        return log_of(path).stat().st_size > 0
    except FileNotFoundError:  # or another process has just put it away
        return False


def _check_log(path: Path) -> None:
    if not _has_log(path):
        return
    from reconciler.ledger import wal

    found = wal.find_damage(log_of(path))
    if found is not None:
        raise damaged(path, found)


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Switch to a write-ahead log; SQLite itself does not wait for others that open the new file at this moment."""
    until = monotonic() + _BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
            sleep(5)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if schema.is_foreign(connection):
        raise not_a_ledger(path)
    _check_consistency(connection, path)
    found = schema.version(connection)
    if found > schema.VERSION:
        raise newer(path, found, schema.VERSION)


def _check_consistency(connection: sqlite3.Connection, path: Path) -> None:
    """Raise DiagnosticError if pages, types, constraints or indexes are inconsistent; large files are skipped."""
    (size,) = connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
    if size > _CHECKED_BYTES:
        return
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise damaged(path, str(found))


def _prepare(path: Path) -> None:
    """Create the file and its directory if missing; ``.reconciler/`` excludes itself from version control."""
    directory = path.parent
    directory.mkdir(parents=True, exist_ok=True)
    ignore = directory / ".gitignore"
    if directory.name == ".reconciler" and not ignore.exists():
        ignore.write_text("*\n", encoding="ascii")
    new = not path.exists()
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    if new and os.name != "nt":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # makes the new directory entry durable too
        finally:
            os.close(descriptor)
