"""The doctor of shared ledgers: tests whether a store gives its guarantees, and whether a journal is intact."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from reconciler.core.duration import in_seconds
from reconciler.core.ledger_url import mask
from reconciler.core.operation import Operation
from reconciler.ledger.codec import Row, decode_intent
from reconciler.ledger.kinds import list_stacks, open_store, tried_promises
from reconciler.ledger.location import Location
from reconciler.ledger.replica import Replica
from reconciler.ledger.store import Claim, Fence, JournalStore, Probe, Snapshot, Stored

_LIFETIME = 60_000
_CLOCK_SLACK = 60_000  # ms between the runner's clock and the store's that are tolerated
_OPERATIONS = "SELECT * FROM operations ORDER BY key"
_UNSOUND = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)


class SharedFindings(NamedTuple):
    """What an examination of a shared ledger found."""

    label: str
    probes: Sequence[Probe]
    stacks: int
    rows: int
    complaints: Sequence[str]

    @property
    def is_sound(self) -> bool:
        return not self.complaints and all(probe.problem is None for probe in self.probes)


def examine_shared(url: str, stack: str | None, now: int) -> SharedFindings:
    """Test the guarantees of the store in a temporary stack, and read every row of the other stacks.

    With ``stack`` only that stack's rows are read. Raises DiagnosticError if the store cannot be used.
    """
    scratch = f"doctor-{secrets.token_hex(8)}"
    tried = tried_promises(url)
    if any(found.problem is not None for found in tried):
        return SharedFindings(mask(url), tried, 0, 0, ())
    with closing(open_store(Location(url, scratch))) as store:
        try:
            probes = (*tried, *probe(store, lambda: open_store(Location(url, scratch)), now))
        finally:
            store.drop()
        label = store.label
    names = [found.stack for found in list_stacks(url)] if stack is None else [stack]
    complaints: list[str] = []
    rows = 0
    for name in names:
        with closing(open_store(Location(url, name), reading=True)) as store:
            found = store.read(0).rows
            rows += len(found)
            complaints += [f"stack {name}: {text}" for text in _examine(found, store.snapshot())]
    return SharedFindings(label, probes, len(names), rows, complaints)


def probe(store: JournalStore, again: Callable[[], JournalStore], now: int) -> Iterator[Probe]:
    """Test the guarantees of a store in an empty stack; ``again`` opens the same stack a second time."""
    claims = [Claim(secrets.token_hex(8), "doctor", "doctor", 0, None, None, None) for _ in range(2)]
    with closing(again()) as other:
        first = store.take(claims[0], _LIFETIME)
        second = other.take(claims[1], _LIFETIME)
        yield _kept("a lease is given to one holder only", first is not None and second is None)
        if first is None:
            return
        fence = Fence(first.fence, running=True)
        row = Row("end", "doctor", now, "[]").sealed()
        yield _kept("a row is added once", store.append([row], 0, fence) and not other.append([row], 0, None))
        yield _kept("a writer that is behind adds nothing", not other.append([row], 0, fence))
        yield _kept("what was added is read back", [found.row for found in other.read(0).rows] == [row])
        other.unlock()
        yield _kept("a holder that lost its lease adds nothing", not store.append([row], 1, fence))
        next_one = other.take(claims[1], _LIFETIME)
        yield _kept("the next fence is higher", next_one is not None and next_one.fence > first.fence)
        store.save_snapshot(Snapshot(1, b"doctor"))
        yield _kept("a snapshot is kept", other.snapshot() == Snapshot(1, b"doctor"))
        store.put_document("doctor/1", "{}")
        yield _kept("a document is kept", other.document("doctor/1") == "{}")
        ahead = store.read(1).now - now
        yield Probe(
            "the store's clock agrees with this machine's",
            None if abs(ahead) < _CLOCK_SLACK else f"it is {in_seconds(ahead):+.0f} s off; leases go by the store's",
        )


def _kept(promise: str, holds: bool) -> Probe:
    return Probe(promise, None if holds else "it is not kept: this store cannot hold a ledger")


def _examine(rows: Sequence[Stored], snapshot: Snapshot | None) -> Iterator[str]:
    sound = True
    for number, _, row in rows:
        try:
            row.check()
            _decoded(row)
        except _UNSOUND as error:
            sound = False
            yield f"row {number}: {error}"
    if not sound:
        return
    replayed = Replica()
    with closing(replayed):
        try:
            replayed.add(rows)
            replayed.project()
            if snapshot is None:
                return
            with closing(Replica(snapshot)) as shortcut:
                shortcut.add([stored for stored in rows if stored.number > snapshot.number])
                shortcut.project()
                if _states(shortcut) != _states(replayed):
                    yield "the snapshot is not what the journal adds up to"
        except _UNSOUND as error:
            yield str(error)


def _states(replica: Replica) -> list[tuple[object, ...]]:
    return replica.connection.execute(_OPERATIONS).fetchall()


def _decoded(row: Row) -> Sequence[Operation]:
    return decode_intent(row.body, row.payloads) if row.step == "intend" else ()
