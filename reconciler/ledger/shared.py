"""The ledger in a shared store: a journal store, and a replica of its journal that answers every query."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from socket import gethostname
from threading import RLock
from types import MappingProxyType
from typing import TypeVar

from reconciler.core import system_clock
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.operation import Operation, Outcome, Status
from reconciler.ledger import queries
from reconciler.ledger.codec import (
    Row,
    encode_begin,
    encode_behaviour,
    encode_confirmed,
    encode_intent,
    encode_outcomes,
)
from reconciler.ledger.lease import BootTime, Present, boot_time, check_holder, fingerprint, is_dead, lapsed
from reconciler.ledger.protocol import (
    Behaviour,
    Entry,
    Holder,
    InFlight,
    LeaseHeldError,
    LedgerView,
    Run,
    RunState,
)
from reconciler.ledger.queries import ThinRowsError
from reconciler.ledger.replica import Replica, end_row, run_row
from reconciler.ledger.store import Claim, Fence, JournalStore, Lease, Reading, Stored
from reconciler.ledger.write_queue import WriteQueue

_ATTEMPTS = 30
"""How often adding rows is tried while other writers add theirs."""

_FOLD_BYTES = 64_000_000
"""How many bytes of rows are kept before they are replayed and thinned."""

SNAPSHOT_BYTES = 100_000
"""How many bytes must be added, at least, before a new snapshot is worth its size."""

_T = TypeVar("_T")


class SharedLedger:
    """See ``reconciler.ledger.protocol.Ledger``; thread-safe: calls are serialized."""

    is_shared = True

    def __init__(
        self,
        store: JournalStore,
        *,
        reading: bool = False,
        clock: Callable[[], BootTime | None] = boot_time,
        snapshot_bytes: int = SNAPSHOT_BYTES,
        keeps: bool = True,
        last: int | None = None,
    ) -> None:
        """``keeps``: false makes no snapshot, and reads rows that this ledger added back if a query needs them.

        ``last`` is then the number of the last row, if the caller has read it, so that no row before it is read.
        """
        self._store = store
        self._reading = reading
        self._boot_time = clock
        self._process = fingerprint(os.getpid())
        self._lock = RLock()
        self._queue = WriteQueue(self._append)
        self._replica: Replica | None = None
        self._last = last
        self._keeps = keeps
        self._ahead = 0
        self._batch: list[tuple[Row, Holder | None, bool]] | None = None
        self._unsaved = 0
        self._snapshot_size = 0
        self._snapshot_bytes = snapshot_bytes

    def acquire(
        self,
        owner: str,
        host: str,
        pid: int,
        now: int,  # noqa: ARG002 - the store has its own clock
        lifetime: int,
        *,
        pipeline: str | None = None,
        commit: str | None = None,
    ) -> Holder:
        claim = Claim(secrets.token_hex(8), owner, host, pid, fingerprint(pid), pipeline, commit)
        dead: int | None = None
        with self._writing():
            while True:
                holder = self._store.take(claim, lifetime, dead)
                if holder is not None:
                    return holder
                lease = self._store.lease()
                if lease is None or lease.has_lapsed:
                    continue
                if lease.holder.fence == dead or not self._has_died(lease, host):
                    raise LeaseHeldError(lease.holder)
                dead = lease.holder.fence

    def renew(self, holder: Holder, now: int, lifetime: int) -> Holder:  # noqa: ARG002
        with self._writing():
            renewed = self._store.renew(holder.fence, lifetime)
            if renewed is None:
                self._check(holder, running=False)
                raise lapsed()
            return renewed

    def release(self, holder: Holder) -> None:
        with self._writing():
            self._store.release(holder.fence)

    def holder(self, now: int) -> Holder | None:  # noqa: ARG002
        with self._lock:
            lease = self._store.lease()
        if lease is None or lease.has_lapsed or self._has_died(lease, gethostname()):
            return None
        return lease.holder

    def unlock(self) -> Holder | None:
        with self._lock:
            return None if self._reading else self._store.unlock()

    def begin(self, holder: Holder, run: Run) -> None:
        self._add(run_row(run, run.started_at), holder)

    def record_intents(self, holder: Holder, run: str, operations: Sequence[Operation], now: int) -> None:
        """See the protocol. Raises ValueError for a run that was not begun, DiagnosticError for an operation that
        cannot be encoded.
        """
        if not operations:
            return
        try:
            intent = encode_intent(operations)
        except ValueError as error:
            raise self._error(
                f"cannot hold an operation: {error}", "look for unusual characters in the configuration"
            ) from error
        with self._lock:
            if run not in self._replayed().runs and all(row.run != run for row, _, _ in self._batch or ()):
                raise ValueError(f"the run {run} was not started")
            self._add(Row("intend", run, now, *intent), holder)

    def begin_attempts(self, holder: Holder, keys: Iterable[str], now: int) -> None:
        body = encode_begin(keys, self._boot_time(), self._process, holder.fence)
        self._add(Row("begin", None, now, body), holder, running=True)

    def record_outcomes(self, outcomes: Iterable[Outcome], now: int) -> None:
        found = list(outcomes)
        if found:
            self._add(Row("settle", None, now, encode_outcomes(found)))

    def confirm(self, keys: Iterable[str], now: int, shown: Mapping[str, str] = MappingProxyType({})) -> None:
        found = list(keys)
        if found:
            self._add(Row("confirm", None, now, encode_confirmed(found, shown)))

    def end(self, run: str, state: RunState, now: int) -> None:
        self._add(end_row(run, state, now))

    def learn(self, target: str, behaviour: Behaviour, now: int) -> None:
        self._add(Row("learn", None, now, encode_behaviour(target, behaviour)))

    def behaviour(self, target: str) -> Behaviour:
        return self._query(lambda replica: queries.behaviour(replica.connection, target))

    def open_intents(self) -> Sequence[Entry]:
        return self._query(lambda replica: queries.open_intents(replica.connection))

    def in_flight(self, now: int) -> Mapping[str, InFlight]:
        def query(replica: Replica) -> Mapping[str, InFlight]:
            present = Present(now, self._boot_time(), system_clock.now() + self._ahead)
            return queries.in_flight(replica.connection, present)

        return self._query(query)

    def statuses(self, keys: Iterable[str]) -> Mapping[str, Status]:
        found = list(keys)
        return self._query(lambda replica: queries.statuses(replica.connection, found))

    def shown(self, keys: Iterable[str]) -> Mapping[str, str]:
        found = list(keys)
        return self._query(lambda replica: queries.shown(replica.connection, found))

    def view(self, now: int, visible_within: int, targets: Mapping[str, str] | None = None) -> LedgerView:
        """See the protocol; ``cleared`` and ``orphans`` cover the last 30 days."""
        return self._query(lambda replica: queries.view(replica.connection, now, visible_within, targets))

    def runs(self) -> Sequence[Run]:
        return self._query(lambda replica: queries.runs(replica.connection))

    def entries(self, run: str) -> Sequence[Entry]:
        return self._query(lambda replica: queries.entries(replica.connection, run))

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Group several writes into one durable step: all are kept, or none if the block raises.

        Other threads wait until the block ends, so do not send requests within it.
        """
        with self._lock:
            outermost, earlier = self._batch is None, len(self._batch or ())
            rows = self._batch = [] if self._batch is None else self._batch
            try:
                yield
            except BaseException:
                del rows[earlier:]
                raise
            finally:
                self._batch = None if outermost else rows
            if outermost and rows:
                fenced = [(holder, running) for _, holder, running in rows if holder is not None]
                holder = fenced[0][0] if fenced else None
                self._append([row.sealed() for row, _, _ in rows], holder, any(running for _, running in fenced))

    def journal(self) -> Sequence[Row]:
        """Every row, for a caller that needs no query; none is kept in memory."""
        with self._lock, self._checked():
            reading = self._store.read(0)
            _check_complete(0, reading)
            for _, _, row in reading.rows:
                row.check()
            if self._replica is None:
                self._last = reading.last
            return [row for _, _, row in reading.rows]

    def close(self) -> None:
        """Close the store; saves a snapshot if the next process to open it would have to replay much."""
        with self._lock:
            try:
                if not self._reading:
                    with suppress(DiagnosticError, ValueError):
                        self._save_snapshot()
            finally:
                self._store.close()
                if self._replica is not None:
                    self._replica.close()

    def _add(self, row: Row, holder: Holder | None = None, *, running: bool = False) -> None:
        """Add a row; rows of threads that wait for the same round trip share the next one."""
        write = self._queue.put(row.sealed(), holder, running)
        with self._writing():
            if self._batch is None:
                self._queue.flush(write)
            else:
                self._queue.withdraw(write)
                self._batch.append((row, holder, running))
        if write.error is not None:
            raise write.error

    def _append(self, rows: Sequence[Row], holder: Holder | None, running: bool) -> None:
        """Append sealed rows after the last one. Raises LeaseLostError unless the holder has the lease."""
        if self._last is None:
            self._opened()
        fence = None if holder is None else Fence(holder.fence, running)
        for _ in range(_ATTEMPTS):
            known = self._last or 0
            if self._store.append(rows, known, fence):
                self._last = known + len(rows)
                if self._keeps:
                    now = system_clock.now() + self._ahead
                    added = [Stored(known + n, now, row) for n, row in enumerate(rows, 1)]
                    self._take_over(self._opened(), added, are_ours=True)
                return
            if self._was_added(rows, self._news(known)):
                return
            if holder is not None:
                self._check(holder, running=running)
            if self._last == known:
                system_clock.sleep(10)
        raise self._error("is written by too many processes at once", "try again in a moment")

    def _news(self, after: int) -> Sequence[Stored]:
        """The rows after the last one known, added by others or by an attempt whose response was lost."""
        if self._replica is not None:
            return self._refresh(self._replica)
        reading = self._store.read(after)
        self._last = reading.last
        return reading.rows

    @staticmethod
    def _was_added(sealed: Sequence[Row], news: Sequence[Stored]) -> bool:
        """Whether these rows are among those read: then only the response to an earlier attempt was lost."""
        digests, found = [row.digest for row in sealed], [stored.row.digest for stored in news]
        return any(found[start : start + len(digests)] == digests for start in range(len(found) - len(digests) + 1))

    def _check(self, holder: Holder, *, running: bool) -> None:
        lease = self._store.lease()
        check_holder(None if lease is None else lease.holder, holder)
        if running and lease is not None and lease.has_lapsed:
            raise lapsed()

    def _query(self, query: Callable[[Replica], _T]) -> _T:
        """Answer a query from the up-to-date replica; missing parts of thin rows are fetched."""
        with self._lock, self._checked():
            replica = self._opened()
            self._refresh(replica)
            replica.project()
            while True:
                try:
                    return query(replica)
                except ThinRowsError as thin:
                    found = self._store.fetch(thin.numbers)
                    missing = thin.numbers - found.keys()
                    if missing:
                        raise ValueError(f"row {min(missing)} of the journal is missing") from None
                    replica.restore(found)

    def _replayed(self) -> Replica:
        """The replica as far as it is known; read once."""
        with self._checked():
            return self._opened()

    def _opened(self) -> Replica:
        if self._replica is None:
            snapshot = self._store.snapshot()
            self._snapshot_size = 0 if snapshot is None else len(snapshot.data)
            self._replica = Replica(snapshot)
            self._refresh(self._replica)
        return self._replica

    def _refresh(self, replica: Replica) -> Sequence[Stored]:
        """Read the rows that follow."""
        with self._checked():
            reading = self._store.read(replica.last)
            self._ahead = reading.now - system_clock.now()
            try:
                _check_complete(replica.last, reading)
            except ValueError:
                snapshot = self._store.snapshot()
                if snapshot is None or snapshot.number <= replica.last:
                    raise
                replica.restart(snapshot)  # a prune removed rows meanwhile
                reading = self._store.read(replica.last)
                _check_complete(replica.last, reading)
            self._take_over(replica, reading.rows)
            self._last = replica.last
            return reading.rows

    def _take_over(self, replica: Replica, rows: Sequence[Stored], *, are_ours: bool = False) -> None:
        replica.add(rows, are_ours=are_ours)
        self._unsaved += sum(len(row.body) + len(row.payloads or "") for _, _, row in rows)
        if replica.unprojected_bytes > _FOLD_BYTES:
            replica.project()

    def _save_snapshot(self) -> None:
        if self._replica is not None and self._keeps and self._unsaved >= self._worth():
            self._store.save_snapshot(self._replica.snapshot())

    def _worth(self) -> int:
        """How many bytes of rows justify a snapshot: the larger the last snapshot, the more."""
        return max(self._snapshot_bytes, self._snapshot_size if self._snapshot_bytes else 0)

    def _has_died(self, lease: Lease, host: str) -> bool:
        """Whether the holder was a process of this machine that has ended."""
        return lease.process is not None and lease.holder.host == host and is_dead(lease.holder.pid, lease.process)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            if self._reading:
                raise self._error("cannot be written: it is read-only", None)
            yield

    @contextmanager
    def _checked(self) -> Iterator[None]:
        """Convert the error of a row that was altered to a diagnostic."""
        try:
            yield
        except (ValueError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
            raise self._error(
                f"is damaged: {error}", "restore it from a backup, or copy its sound rows: reconciler ledger copy"
            ) from error

    def _error(self, what: str, hint: str | None) -> DiagnosticError:
        return DiagnosticError(Diagnostic(f"the ledger {self._store.label} {what}", hint=hint))


def _check_complete(after: int, reading: Reading) -> None:
    """Raise ValueError if a row in the sequence is missing: only rows before a snapshot are ever removed."""
    expected = after
    for expected, (number, _, _) in enumerate(reading.rows, after + 1):
        if number != expected:
            raise ValueError(f"row {expected} of the journal is missing")
    if expected < reading.last:
        raise ValueError(f"row {expected + 1} of the journal is missing")
