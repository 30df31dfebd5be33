"""The journal store: what a place shared by many machines must implement to hold a ledger.

``reconciler.ledger.shared.SharedLedger`` makes a ``Ledger`` of a store: it encodes calls as rows, replays rows into the
state of operations, takes snapshots of that state, and resolves lost responses. A store keeps rows in one sequence, and
a lease; it knows nothing of operations. All instants are epoch milliseconds by the store's own clock.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from reconciler.core.duration import SECOND
from reconciler.ledger.codec import Row
from reconciler.ledger.protocol import Holder

RESUME = 15 * SECOND
"""How long (ms) a request to an unreachable store is retried; well below the lifetime of a lease."""

FIRST = 2 * SECOND
"""How long (ms) the first request to an unreachable store is retried."""

RESUME_PAUSES = (50, 100, 200, 400, 800)
"""Milliseconds between retries; the last value repeats."""


class Claim(NamedTuple):
    """A request for the lease. ``id`` is unique to the attempt, so that it is recognized after a lost response.

    ``process`` is the fingerprint of the process on its machine; None if the system has none.
    """

    id: str
    owner: str
    host: str
    pid: int
    process: str | None
    pipeline: str | None
    commit: str | None


class Lease(NamedTuple):
    """The lease as the store holds it; ``has_lapsed`` is by the store's clock."""

    holder: Holder
    process: str | None
    has_lapsed: bool


class Fence(NamedTuple):
    """The condition for adding rows: this holder still has the lease and, if ``running``, it has not expired."""

    number: int
    running: bool


class Stored(NamedTuple):
    """A row of the sequence, and when it was stored; None if that is not known."""

    number: int
    stored_at: int | None
    row: Row


class Reading(NamedTuple):
    """Rows in number order, the store's clock when they were read, and the ``last`` number that it assigned."""

    now: int
    rows: Sequence[Stored]
    last: int


class Snapshot(NamedTuple):
    """The state of the replayed journal up to row ``number``; opaque to the store."""

    number: int
    data: bytes


class Probe(NamedTuple):
    """One guarantee of a store; ``problem`` says how it is violated, None if it holds."""

    promise: str
    problem: str | None = None


class StackState(NamedTuple):
    """One stack of a shared ledger: its last row, its lease (None: free), and when it was last written."""

    stack: str
    last: int
    lease: Lease | None
    changed_at: int | None

    @property
    def holder(self) -> Holder | None:
        """Who holds the lease; None if it has expired."""
        return None if self.lease is None or self.lease.has_lapsed else self.lease.holder


class JournalStore(Protocol):
    """The journal, the lease and the documents of one stack in a shared place.

    A method returns once its write is durable. Without a response it retries while that is safe; each method is
    idempotent. If it cannot recover, it raises DiagnosticError. Any number of processes may use one stack at once; one
    instance is used by one thread at a time.
    """

    label: str
    """The URL for messages, without credentials."""

    def take(self, claim: Claim, lifetime: int, over: int | None = None) -> Holder | None:
        """Take the lease for ``lifetime`` ms if it is free, has expired, or has the fence ``over``, whose holder is
        known to be dead.

        Returns None if another process holds it. The fence of each holder is higher than all earlier ones. From here
        on, no row can be added under an earlier fence.
        """

    def lease(self) -> Lease | None:
        """The lease; None if it is free."""

    def renew(self, fence: int, lifetime: int) -> Holder | None:
        """Extend the lease of this fence to ``lifetime`` ms from now, even if it has expired.

        Returns None if another process holds it, or if it is free.
        """

    def release(self, fence: int) -> None:
        """Free the lease; one with another fence is left alone."""

    def unlock(self) -> Holder | None:
        """Free the lease, whoever holds it; returns who held it."""

    def append(self, rows: Sequence[Row], after: int, fence: Fence | None) -> bool:
        """Add rows, all or none, if ``after`` is the number of the last row (0: none), and if the fence holds.

        The rows get the next numbers. Returns False if this call added nothing: the sequence has moved on (maybe by an
        earlier attempt of the same call whose response was lost), or the fence does not hold. The caller reads the
        sequence to find out which.
        """

    def read(self, after: int) -> Reading:
        """The rows after ``after``; those removed by a prune are left out."""

    def fetch(self, numbers: Collection[int]) -> Mapping[int, Row]:
        """Rows by their numbers; missing ones are left out."""

    def snapshot(self) -> Snapshot | None:
        """The latest snapshot."""

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Save a snapshot, unless one of a later row exists."""

    def compact(self, rows: Sequence[Stored], snapshot: Snapshot, fence: Fence) -> bool:
        """Replace all rows by these and the snapshot, if its number follows the last one assigned, and the fence holds.

        Returns whether it did. The rows have ascending numbers with gaps. The snapshot's number is never assigned to a
        row: a process that knows the earlier rows finds one missing, and restarts from the snapshot.
        """

    def document(self, name: str) -> str | None:
        """The text of a document; None if it does not exist."""

    def documents(self, prefix: str) -> Mapping[str, str]:
        """The documents whose names start with the prefix."""

    def put_document(self, name: str, text: str) -> None:
        """Write a document; names are slash-separated words of ``[A-Za-z0-9_.-]``."""

    def delete_document(self, name: str) -> None:
        """Delete a document, if it exists."""

    def drop(self) -> None:
        """Delete the stack with everything stored for it."""

    def close(self) -> None: ...


class Shard(NamedTuple):
    """A part of a run that has its own journal and lease; ``name`` is unique to the run.

    It may be worked on while the lease of its ``stack`` has this ``fence`` and has not expired.
    """

    name: str
    stack: str
    fence: int


class Shards(Protocol):
    """The shards of one stack, for the holder of its lease. One instance is used by one thread at a time."""

    def cut(self, shard: Shard, rows: Sequence[Row]) -> bool:
        """Create the journal of a shard from these rows, all or none; False if the fence does not hold."""

    def open(self, shard: Shard) -> JournalStore | None:
        """The store of a shard; None if the shard no longer exists.

        No lease is taken (``take`` raises LeaseLostError) and no fenced row is added unless the fence of the stack
        holds in the same transaction. Once the shard is absorbed, nothing is added at all.
        """

    def absorb(self, fence: int) -> int | None:
        """Move the rows of every shard to the end of the stack's journal.

        Returns the last row's number, or None if the fence does not hold. Taking the stack's lease absorbs shards as
        well, whether or not this was called.
        """

    def close(self) -> None: ...


class Rates(Protocol):
    """Rate limits that processes share: for each service, by name, when the next request may begin; thread-safe."""

    def check(self) -> None:
        """Test whether rate limits can be shared. Raises DiagnosticError."""

    def buy(self, name: str, rate: float, count: int) -> float:
        """Reserve the next ``count`` instants of a service, 1/``rate`` seconds apart; no two processes get the same
        one.

        Returns in how many seconds the first one comes, by the store's clock. Raises DiagnosticError.
        """

    def close(self) -> None: ...
