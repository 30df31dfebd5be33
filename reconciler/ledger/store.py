"""The journal store: what a place that many machines share must do to hold a ledger.

``reconciler.ledger.shared.SharedLedger`` makes a ``Ledger`` of a store: it encodes calls as rows, replays rows into
the state of operations, takes snapshots of that state, and settles lost answers. A store keeps rows in one sequence,
and a lease; it knows nothing of operations. All instants are epoch milliseconds by the store's own clock.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from reconciler.core.duration import SECOND
from reconciler.ledger.codec import Row
from reconciler.ledger.protocol import Holder

RESUME = 15 * SECOND
"""Milliseconds in which a request to a store that nobody answers is made again; well below the lifetime of a lease."""

FIRST = 2 * SECOND
"""Milliseconds in which the first request is."""

RESUME_PAUSES = (50, 100, 200, 400, 800)
"""Milliseconds between these requests; the last is repeated."""


class Claim(NamedTuple):
    """Who asks for the lease. ``id`` is unique to the attempt: a lost answer is recognised by it.

    ``process`` is the fingerprint of the process on its machine, None if the system has none.
    """

    id: str
    owner: str
    host: str
    pid: int
    process: str | None
    pipeline: str | None
    commit: str | None


class Lease(NamedTuple):
    """The lease as the store holds it; ``has_lapsed`` by the store's clock."""

    holder: Holder
    process: str | None
    has_lapsed: bool


class Fence(NamedTuple):
    """What must be true when rows are added: the lease is still this one; if ``running``, it has not lapsed either."""

    number: int
    running: bool


class Stored(NamedTuple):
    """A row of the sequence, and when it was stored; None where that is not known."""

    number: int
    stored_at: int | None
    row: Row


class Reading(NamedTuple):
    """Rows in the order of their numbers, the store's clock when they were read, and the ``last`` number it gave."""

    now: int
    rows: Sequence[Stored]
    last: int


class Snapshot(NamedTuple):
    """The state of the replayed journal up to row ``number``; opaque to the store."""

    number: int
    data: bytes


class Probe(NamedTuple):
    """One promise of a store; ``problem`` says how it is broken, None if it is kept."""

    promise: str
    problem: str | None = None


class StackState(NamedTuple):
    """One stack of a shared ledger: its last row, its lease (None: free), and when something was last written."""

    stack: str
    last: int
    lease: Lease | None
    changed_at: int | None

    @property
    def holder(self) -> Holder | None:
        """Who holds the lease, unless it has lapsed."""
        return None if self.lease is None or self.lease.has_lapsed else self.lease.holder


class JournalStore(Protocol):
    """The journal, the lease and the documents of one stack in a shared place.

    A method returns once what it wrote is durable. One that got no answer tries again as often as that is safe; each
    of them may be repeated: what it did before, it does not do twice. What cannot be resumed raises DiagnosticError.
    Any number of processes use one stack at once; one instance is used by one thread at a time.
    """

    label: str
    """The URL for messages, without credentials."""

    def take(self, claim: Claim, lifetime: int, over: int | None = None) -> Holder | None:
        """Take the lease for ``lifetime`` ms if it is free, has lapsed, or has the fence ``over``, whose holder is
        known to be dead; None if another holds it. The fence of each holder is higher than that of all before.

        Also from here on no row of an earlier holder is added under its fence.
        """

    def lease(self) -> Lease | None:
        """The lease; None while nobody has it."""

    def renew(self, fence: int, lifetime: int) -> Holder | None:
        """Let the lease of this fence last ``lifetime`` ms from now, even if it has lapsed; None if it is another's or
        free.
        """

    def release(self, fence: int) -> None:
        """Free the lease; one of another fence is left alone."""

    def unlock(self) -> Holder | None:
        """Free the lease, whoever holds it; returns who held it."""

    def append(self, rows: Sequence[Row], after: int, fence: Fence | None) -> bool:
        """Add rows, all or none, if ``after`` is the number of the last row (0: none), and if the fence holds.

        The rows get the numbers that follow. False if nothing was added by this call: the sequence has moved on
        (maybe by an earlier, unanswered try of the same call), or the fence no longer holds. The caller reads what is
        there to know which.
        """

    def read(self, after: int) -> Reading:
        """The rows that follow ``after``; those a prune removed are left out."""

    def fetch(self, numbers: Collection[int]) -> Mapping[int, Row]:
        """Rows by their numbers; one that is missing is left out."""

    def snapshot(self) -> Snapshot | None:
        """The latest snapshot."""

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot unless there is one of a later row."""

    def compact(self, rows: Sequence[Stored], snapshot: Snapshot, fence: Fence) -> bool:
        """Replace all rows by these and the snapshot, if its number follows the last one given, and the fence holds;
        whether it did.

        The rows have ascending numbers with gaps. The snapshot's number is never given to a row: whoever knows the rows
        as they were finds one missing, and begins anew from the snapshot.
        """

    def document(self, name: str) -> str | None:
        """The text of a document, None if there is none."""

    def documents(self, prefix: str) -> Mapping[str, str]:
        """The documents whose names begin with the prefix."""

    def put_document(self, name: str, text: str) -> None:
        """Keep a document; names are slash-separated words of ``[A-Za-z0-9_.-]``."""

    def delete_document(self, name: str) -> None:
        """Remove a document, if there is one."""

    def drop(self) -> None:
        """Remove the stack with everything that is kept of it."""

    def close(self) -> None: ...


class Shard(NamedTuple):
    """A part of a run that has a journal and a lease of its own; ``name`` is unique to the run.

    It may be worked on while the lease of its ``stack`` has this ``fence`` and has not lapsed.
    """

    name: str
    stack: str
    fence: int


class Shards(Protocol):
    """The shards of one stack, for whoever holds its lease. One instance is used by one thread at a time."""

    def cut(self, shard: Shard, rows: Sequence[Row]) -> bool:
        """Make the journal of a shard from these rows, all or none; False if the fence does not hold."""

    def open(self, shard: Shard) -> JournalStore | None:
        """The store of a shard; None if there is no such shard any more.

        No lease is taken (``take`` raises LeaseLostError) and no fenced row is added unless the fence of the stack
        holds in the same transaction. Once the shard was absorbed nothing is added at all.
        """

    def absorb(self, fence: int) -> int | None:
        """Move the rows of every shard behind those of the stack; the number of the last, None if the fence does not
        hold.

        The next holder of the stack's lease does so when it takes it, whether or not this was called.
        """

    def close(self) -> None: ...


class Rates(Protocol):
    """Rates that processes share: for each service, by name, when the next request to it may begin.

    Any number of threads may use one instance.
    """

    def check(self) -> None:
        """Try whether rates can be shared. Raises DiagnosticError."""

    def buy(self, name: str, rate: float, count: int) -> float:
        """Buy the next ``count`` instants of a service, 1/``rate`` seconds apart; no two processes get the same.

        In how many seconds the first comes, by the store's clock. Raises DiagnosticError.
        """

    def close(self) -> None: ...
