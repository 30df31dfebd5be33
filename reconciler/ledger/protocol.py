"""The ledger's protocol: what a store of runs, operations and leases must implement, whether it is a file or shared."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from reconciler.core.address import Address
from reconciler.core.operation import Operation, Outcome, Status

if TYPE_CHECKING:
    from reconciler.core.origin import Origin

CHECK = "check"
"""The command name of runs that send canaries."""

AS_SENT = ""
"""Replaces the digest of the content shown, if the service shows exactly what was sent."""


class Entry(NamedTuple):
    """An operation as journalled: its intent, the number of attempts, and its outcome (None: open).

    ``begun_at`` is when its latest attempt began; None if it was certainly never sent. ``target`` is the canonical text
    of the target it was sent to; None if the run did not record it.
    """

    operation: Operation
    run: str
    intended_at: int
    attempts: int
    status: Status | None
    ended_at: int | None
    confirmed_at: int | None
    answer: str | None
    id: str | None
    begun_at: int | None = None
    target: str | None = None


class InFlight(NamedTuple):
    """An attempt without an outcome. ``age`` is how long ago (ms, by the ledger's clock) it began, at most.

    ``sender_is_dead`` says that the process which sent it has certainly ended, so that no further request of it can
    arrive.
    """

    age: int
    sender_is_dead: bool


def is_at(entry: Entry, targets: Mapping[str, str] | None) -> bool:
    """Whether an operation was sent to the target that its provider has now; also true if either is unknown."""
    if targets is None or entry.target is None:
        return True
    return entry.operation.provider not in targets or targets[entry.operation.provider] == entry.target


class Orphan(NamedTuple):
    """An alarm that was pushed to a target for which no provider is configured any more, and that may still be firing.

    ``over_by`` is the instant (epoch ms) by which it expires. ``target`` is the canonical text of the target it was
    pushed to; None if the run did not record it.
    """

    key: str
    address: Address
    provider: str
    over_by: int
    target: str | None = None


class LedgerView(NamedTuple):
    """What the ledger tells the planner; a value.

    ``recorded`` are the events known to be on record. ``recent`` are done writes that are not confirmed yet, oldest
    first: the service may not show them yet. ``cleared`` maps a service's id to when (epoch ms) this stack cleared it,
    to distinguish our clears from others'. ``attempted`` maps events that were tried and are not known to be on record
    to the ``begins_at`` of their first attempt. ``orphans`` are alarms at targets that no provider queries any more.
    ``canary_plans`` are the ids of the plans by which checks of this ledger sent canaries. ``lease_held`` says that
    another run holds the lease, so that a canary may be active. ``shown`` maps keys of pushes, on request, to the
    digest of what the service showed when they were verified.
    """

    recorded: frozenset[tuple[Address, str]] = frozenset()
    recent: tuple[Entry, ...] = ()
    cleared: Mapping[str, int] = MappingProxyType({})
    attempted: Mapping[tuple[Address, str], int] = MappingProxyType({})
    orphans: tuple[Orphan, ...] = ()
    canary_plans: frozenset[str] = frozenset()
    lease_held: bool = False
    shown: Mapping[str, str] = MappingProxyType({})


class RunState(StrEnum):
    """How far a run is, or how it ended: ``partial`` if some operations are not done."""

    RUNNING = "running"
    DONE = "done"
    PARTIAL = "partial"
    INTERRUPTED = "interrupted"


class Run(NamedTuple):
    """One execution of a plan; ``ended_at`` is None while it runs, or if it died.

    ``targets`` maps each provider's key to the canonical text of its target; empty if the run did not record it.
    ``origin`` is who started the run; None for a version that did not record it.
    """

    id: str
    plan_id: str
    command: str
    started_at: int
    ended_at: int | None
    state: RunState
    targets: Mapping[str, str] = MappingProxyType({})
    origin: "Origin | None" = None


class Holder(NamedTuple):
    """Who holds the lease on a stack; ``fence`` increases with every holder."""

    owner: str
    host: str
    pid: int
    acquired_at: int
    expires_at: int
    fence: int
    pipeline: str | None = None
    commit: str | None = None

    @property
    def origin(self) -> "Origin":
        from reconciler.core.origin import Origin

        return Origin(self.owner, self.host, self.pipeline, self.commit)

    def __str__(self) -> str:
        """The holder as messages print it."""
        return f"{self.owner} on {self.host} (process {self.pid}){self.origin.where}"


class Behaviour(NamedTuple):
    """Observed behaviour of the service at a target that its API pages leave open; None: not known yet.

    ``merges``: pushing an active alarm again refreshes it, instead of opening a second one. ``rejects_whole``: of a
    rejected batch nothing is stored, not even its valid items.
    """

    merges: bool | None = None
    rejects_whole: bool | None = None


class LeaseHeldError(Exception):
    """Another run holds the stack's lease."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(f"held by {holder}")
        self.holder = holder


class LeaseLostError(Exception):
    """The lease expired or was taken over or broken: this run may not write any more."""


class Ledger(Protocol):
    """The journal of one stack. Every write is durable when its method returns. Instants are epoch milliseconds.

    ``now`` is the caller's wall clock. A store with a better clock (the database's, or the machine's clock since boot)
    uses that one for leases and ages.
    """

    is_shared: bool
    """Whether several machines share the ledger, so that each write is a network round trip."""

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
        """Take the lease for ``lifetime`` ms, or raise LeaseHeldError.

        A lease that expired, or whose process on this host is dead, is taken over.
        """

    def renew(self, holder: Holder, now: int, lifetime: int) -> Holder:
        """Extend the lease. Raises LeaseLostError if this holder has lost it."""

    def release(self, holder: Holder) -> None: ...

    def holder(self, now: int) -> Holder | None:
        """The current holder of the lease."""

    def unlock(self) -> Holder | None:
        """Break the lease, whoever holds it; returns who held it. For operators who know that the holder is gone."""

    def begin(self, holder: Holder, run: Run) -> None:
        """Open a run. Raises LeaseLostError if the holder has lost the lease."""

    def record_intents(self, holder: Holder, run: str, operations: Sequence[Operation], now: int) -> None:
        """Journal the intents of operations, before any of them is sent.

        Raises LeaseLostError before anything is written.
        """

    def begin_attempts(self, holder: Holder, keys: Iterable[str], now: int) -> None:
        """Journal that these operations may be sent from now on; the same durable step checks that they may be.

        Raises LeaseLostError unless the holder's fence is still the highest and its lease has not expired by the
        ledger's clock.
        """

    def record_outcomes(self, outcomes: Iterable[Outcome], now: int) -> None:
        """Journal the outcomes of operations.

        An operation that is done stays done until a new attempt begins: a run that lost its lease may report the
        outcome of its own attempt after another run has completed the operation.
        """

    def confirm(self, keys: Iterable[str], now: int, shown: Mapping[str, str] = MappingProxyType({})) -> None:
        """Journal that the effect of these operations is visible.

        ``shown`` maps pushes of alarms to the digest of the content shown, or ``AS_SENT`` if that is what was sent. The
        first confirmation of an attempt counts.
        """

    def shown(self, keys: Iterable[str]) -> Mapping[str, str]:
        """What the service showed of these pushes when they were confirmed, as given to ``confirm``; unknown ones are
        omitted.
        """

    def end(self, run: str, state: RunState, now: int) -> None: ...

    def learn(self, target: str, behaviour: Behaviour, now: int) -> None:
        """Journal how the service at a target behaves; the latest entry counts."""

    def behaviour(self, target: str) -> Behaviour:
        """How the service at a target was last seen to behave; all fields are None if nothing was learned."""

    def open_intents(self) -> Sequence[Entry]:
        """Operations whose intent is journalled and whose outcome is missing or unknown; oldest first."""

    def in_flight(self, now: int) -> Mapping[str, InFlight]:
        """The open operations that may have been sent, by key; the other open ones never were."""

    def statuses(self, keys: Iterable[str]) -> Mapping[str, Status]:
        """The outcome of each of these operations that has one."""

    def view(self, now: int, visible_within: int, targets: Mapping[str, str] | None = None) -> LedgerView:
        """The planner's view; ``recent`` covers the last ``visible_within`` ms.

        ``targets`` maps the key of every configured provider to its target: operations at another target are left out
        (rule 14), and reported in ``orphans``.
        """

    def runs(self) -> Sequence[Run]:
        """Every run, newest first."""

    def entries(self, run: str) -> Sequence[Entry]:
        """The operations of one run (by id, or unique prefix), in journal order. Raises KeyError if there is no such
        run.
        """

    def batch(self) -> AbstractContextManager[None]:
        """Group several writes into one durable step."""

    def close(self) -> None: ...


def new_run_id() -> str:
    """A unique run id."""
    return os.urandom(8).hex()


def matching_runs(name: str, ids: Iterable[str]) -> list[str]:
    """The run ids that a text selects: the id that equals it, else all that start with it, in the order given."""
    begun = [id for id in ids if id.startswith(name)]
    return [name] if name in begun else begun
