"""The ledger in a SQLite file: the journal of one stack's operations, and the lease on it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import gethostname
from types import MappingProxyType
from typing import NoReturn

from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.operation import Operation, Outcome, Status
from reconciler.ledger import database, lease, queries
from reconciler.ledger.codec import (
    Row,
    encode,
    encode_begin,
    encode_behaviour,
    encode_confirmed,
    encode_intent,
    encode_origin,
    encode_outcomes,
    run_digest,
)
from reconciler.ledger.database import Database
from reconciler.ledger.errors import damaged, unwritable
from reconciler.ledger.lease import BootTime, Present, boot_time, fingerprint
from reconciler.ledger.protocol import Behaviour, Entry, Holder, InFlight, Ledger, LedgerView, Run, RunState

_COLUMNS = "step, run, at, body, payloads, digest"
_ADD = f"INSERT INTO journal ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
# One statement checks the fence and adds the row: several would each wait for Python's global lock among the workers.
_ADD_IF_HELD = f"INSERT INTO journal ({_COLUMNS}) SELECT ?, ?, ?, ?, ?, ? FROM lease WHERE {lease.HELD}"  # noqa: S608 - constants
_ADD_IF_RUNNING = f"{_ADD_IF_HELD} AND {lease.RUNNING}"


def open_ledger(path: Path, *, create: bool = True, clock: Callable[[], BootTime | None] = boot_time) -> Ledger:
    """Open the ledger at ``path`` for writing; its directory and the file are created if missing.

    If ``create`` is false, a missing file is an empty ledger that refuses writes. ``clock`` is the machine's clock,
    used for leases and ages.

    Raises DiagnosticError if the file has a newer schema, is damaged, is not a ledger, or cannot be written.
    """
    if not create and not path.exists():
        return SqliteLedger(database.empty(path))
    return SqliteLedger(database.open_file(path), clock=clock)


def read_ledger(path: Path, *, clock: Callable[[], BootTime | None] = boot_time) -> Ledger:
    """Open the ledger at ``path`` for reading, beside any writer; a missing file is an empty ledger.

    Raises DiagnosticError as ``open_ledger`` does, and on any write.
    """
    if not path.exists():
        return SqliteLedger(database.empty(path))
    return SqliteLedger(database.read_file(path), reading=True, clock=clock)


def memory_ledger(*, clock: Callable[[], BootTime | None] = boot_time) -> Ledger:
    """A new ledger in memory, which is lost when this process ends."""
    return SqliteLedger(database.open_memory(), clock=clock)


class SqliteLedger:
    """See ``reconciler.ledger.protocol.Ledger``; thread-safe: calls are serialized.

    The journal is a table to which each call adds one row (``codec``); the state of each operation is computed from it
    on demand, and before the file is closed (``projection``).
    """

    is_shared = False

    def __init__(
        self, database: Database, *, reading: bool = False, clock: Callable[[], BootTime | None] = boot_time
    ) -> None:
        self._database = database
        self._reading = reading
        self._boot_time = clock
        self._process = fingerprint(os.getpid())

    def acquire(
        self,
        owner: str,
        host: str,
        pid: int,
        now: int,
        lifetime: int,
        *,
        pipeline: str | None = None,
        commit: str | None = None,
    ) -> Holder:
        with self._checked(), self._database.transaction() as connection:
            return lease.acquire(connection, owner, host, pid, self._present(now), lifetime, pipeline, commit)

    def renew(self, holder: Holder, now: int, lifetime: int) -> Holder:
        with self._database.transaction() as connection:
            return lease.renew(connection, holder, self._present(now), lifetime)

    def release(self, holder: Holder) -> None:
        with self._database.transaction() as connection:
            lease.release(connection, holder)

    def holder(self, now: int) -> Holder | None:
        with self._checked(), self._database.reading() as connection:
            return lease.current(connection, self._present(now), gethostname())

    def unlock(self) -> Holder | None:
        with self._database.reading() as connection:
            if not lease.is_taken(connection):
                return None
        with self._database.transaction() as connection:
            return lease.unlock(connection)

    def begin(self, holder: Holder, run: Run) -> None:
        targets, origin = encode(dict(run.targets)) if run.targets else None, encode_origin(run.origin)
        digest = run_digest(run.id, run.plan_id, run.command, targets, origin)
        with self._database.transaction() as connection:
            lease.check(connection, holder)
            connection.execute(
                "INSERT INTO runs (id, plan_id, command, started_at, ended_at, state, targets, origin, digest)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET plan_id = excluded.plan_id, command = excluded.command,"
                " ended_at = excluded.ended_at, state = excluded.state, targets = excluded.targets,"
                " origin = excluded.origin, digest = excluded.digest",
                (*run[:5], run.state.value, targets, origin, digest),
            )

    def record_intents(self, holder: Holder, run: str, operations: Sequence[Operation], now: int) -> None:
        """See the protocol. Raises ValueError for a run that was not begun, DiagnosticError for an operation that
        cannot be encoded.
        """
        if not operations:
            return
        try:
            intent = encode_intent(operations)
        except ValueError as error:
            raise unwritable(self._database.path, str(error)) from error
        row = Row("intend", self._number(run), now, *intent).sealed()
        if not self._database.write(_ADD_IF_HELD, (*row, *lease.holder_values(holder))):
            self._raise_lost(holder)

    def begin_attempts(self, holder: Holder, keys: Iterable[str], now: int) -> None:
        present = self._present(now)
        row = Row("begin", None, now, encode_begin(keys, present.boot, self._process)).sealed()
        values = (*row, *lease.holder_values(holder), *lease.running_values(present))
        if not self._database.write(_ADD_IF_RUNNING, values):
            self._raise_lost(holder, present)

    def record_outcomes(self, outcomes: Iterable[Outcome], now: int) -> None:
        self._add("settle", now, encode_outcomes(outcomes))

    def confirm(self, keys: Iterable[str], now: int, shown: Mapping[str, str] = MappingProxyType({})) -> None:
        self._add("confirm", now, encode_confirmed(keys, shown))

    def shown(self, keys: Iterable[str]) -> Mapping[str, str]:
        with self._folded() as connection:
            return queries.shown(connection, keys)

    def end(self, run: str, state: RunState, now: int) -> None:
        with self._database.transaction() as connection:
            connection.execute("UPDATE runs SET state = ?, ended_at = ? WHERE id = ?", (state.value, now, run))

    def learn(self, target: str, behaviour: Behaviour, now: int) -> None:
        self._add("learn", now, encode_behaviour(target, behaviour))

    def behaviour(self, target: str) -> Behaviour:
        with self._folded() as connection:
            return queries.behaviour(connection, target)

    def open_intents(self) -> Sequence[Entry]:
        with self._folded() as connection:
            return queries.open_intents(connection)

    def in_flight(self, now: int) -> Mapping[str, InFlight]:
        with self._folded() as connection:
            return queries.in_flight(connection, self._present(now))

    def statuses(self, keys: Iterable[str]) -> Mapping[str, Status]:
        with self._folded() as connection:
            return queries.statuses(connection, keys)

    def view(self, now: int, visible_within: int, targets: Mapping[str, str] | None = None) -> LedgerView:
        """See the protocol; ``cleared`` and ``orphans`` cover the last 30 days."""
        with self._folded() as connection:
            return queries.view(connection, now, visible_within, targets)

    def runs(self) -> Sequence[Run]:
        with self._checked(), self._database.reading() as connection:
            return queries.runs(connection)

    def entries(self, run: str) -> Sequence[Entry]:
        with self._folded() as connection:
            return queries.entries(connection, run)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Group several writes into one durable step: all are kept, or none if the block raises.

        Other threads wait until the block ends, so do not send requests within it.
        """
        with self._database.transaction():
            yield

    def close(self) -> None:
        """Close the file; operations are projected first, so that a reader need not do it."""
        if not self._reading:
            with suppress(DiagnosticError), self._folded():
                pass
        self._database.close()

    def _add(self, step: str, now: int, body: str) -> None:
        self._database.write(_ADD, Row(step, None, now, body).sealed())

    def _number(self, run: str) -> int:
        with self._database.reading() as connection:
            begun = connection.execute("SELECT number FROM runs WHERE id = ?", (run,)).fetchone()
        if begun is None:
            raise ValueError(f"the run {run} was not started")
        return int(begun[0])

    def _raise_lost(self, holder: Holder, present: Present | None = None) -> NoReturn:
        """Raise LeaseLostError, with the reason why this holder has lost the lease."""
        with self._database.reading() as connection:
            lease.check(connection, holder, present)
        raise lease.lapsed()

    def _present(self, now: int) -> Present:
        return Present(now, self._boot_time())

    @contextmanager
    def _folded(self) -> Iterator[sqlite3.Connection]:
        """A connection whose operations are up to date; a reader projects them in a copy in memory."""
        with self._checked():
            with self._database.reading() as connection:
                behind = queries.is_behind(connection)
            if behind and self._reading:
                self._database.detach()
                self._reading = False
            if behind:
                from reconciler.ledger.projection import project

                with self._database.transaction() as connection:
                    project(connection)
            with self._database.reading() as connection:
                yield connection

    @contextmanager
    def _checked(self) -> Iterator[None]:
        """Convert the error of a row that was altered to a diagnostic."""
        try:
            yield
        except (ValueError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
            raise damaged(self._database.path, str(error)) from error
