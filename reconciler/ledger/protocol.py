"""The ledger's protocol: what a store of runs, operations and leases must do, so that a shared database can follow."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Protocol

from reconciler.core.address import Address
from reconciler.core.operation import Operation, Outcome, Status
from reconciler.core.origin import Origin

CHECK = "check"
"""The command of runs that send canaries."""

AS_SENT = ""
"""Stands for the digest of the content that was sent, where that is what the service shows."""


class Entry(NamedTuple):
    """An operation as journalled: its intent, how often it was sent, and its outcome (None: open).

    ``begun_at`` is when its latest attempt began; None if it was certainly never sent. ``target`` is the canonical text
    of the target it was meant for, None if the run did not say.
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
    """An attempt without an outcome. ``age`` is how long ago (ms, by the ledger's clock) it began at the latest.

    ``sender_is_dead`` says that the process which sent it is known to be gone, so that nothing of it is still to come.
    """

    age: int
    sender_is_dead: bool


def is_at(entry: Entry, targets: Mapping[str, str] | None) -> bool:
    """Whether an operation was meant for the target that its provider has now; so also where either is not known."""
    if targets is None or entry.target is None:
        return True
    return entry.operation.provider not in targets or targets[entry.operation.provider] == entry.target


class Orphan(NamedTuple):
    """An alarm that was pushed to a target that no provider is configured for any more, and is not known to be over.

    ``over_by`` is the instant (epoch ms) by which it expires; ``target`` is the canonical text of where it was pushed,
    None if the run did not say.
    """

    key: str
    address: Address
    provider: str
    over_by: int
    target: str | None = None


class LedgerView(NamedTuple):
    """What the planner may know of the past; a value.

    ``recorded`` are the facts known to be on record. ``recent`` are done writes, not confirmed yet, oldest first: the
    service may not show them yet. ``cleared`` maps a service's id to when (epoch ms) this stack cleared it, to tell
    our own clears from others'. ``attempted`` maps facts that were tried and are not known to be on record to the
    ``begins_at`` of their first attempt. ``orphans`` are alarms at targets that nobody queries any more.
    ``canary_plans`` are the ids of the plans by which checks of this ledger sent canaries; ``lease_held`` says that
    another run holds the lease now, so that a canary may be up. ``shown`` maps keys of pushes that were asked for to
    the digest of what the service showed when they were verified.
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
    RUNNING = "running"
    DONE = "done"
    PARTIAL = "partial"
    INTERRUPTED = "interrupted"


class Run(NamedTuple):
    """One execution of a plan; ``ended_at`` is None while it runs, or when it died.

    ``targets`` maps each provider's key to the canonical text of its target; empty if the run did not say. ``origin``
    is who started it, None for a run of a version that did not record it.
    """

    id: str
    plan_id: str
    command: str
    started_at: int
    ended_at: int | None
    state: RunState
    targets: Mapping[str, str] = MappingProxyType({})
    origin: Origin | None = None


class Holder(NamedTuple):
    """Who holds the lease on a stack; ``fence`` grows with every holder."""

    owner: str
    host: str
    pid: int
    acquired_at: int
    expires_at: int
    fence: int
    pipeline: str | None = None
    commit: str | None = None

    @property
    def origin(self) -> Origin:
        return Origin(self.owner, self.host, self.pipeline, self.commit)

    def __str__(self) -> str:
        """Who it is, as messages say it."""
        return f"{self.owner} on {self.host} (process {self.pid}){self.origin.where}"


class Behaviour(NamedTuple):
    """How the service at a target was seen to behave, which its pages leave open; None: not known yet.

    ``merges``: a push of an alarm that is active refreshes it, instead of opening a second one. ``rejects_whole``: of a
    batch that is refused nothing is stored, not even its valid items.
    """

    merges: bool | None = None
    rejects_whole: bool | None = None


class LeaseHeldError(Exception):
    """Another run holds the stack's lease."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(f"held by {holder}")
        self.holder = holder


class LeaseLostError(Exception):
    """The lease was taken over (it lapsed, or was unlocked): this run may not write any more."""


class Ledger(Protocol):
    """The journal of one stack; every write is durable when its method returns. Instants are epoch milliseconds.

    ``now`` is the caller's wall clock. A store with a better clock (the database's, the machine's own) judges leases
    and ages by that.
    """

    is_shared: bool
    """Whether several machines share it, so that each write waits for a network."""

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
        """Take the lease for ``lifetime`` ms, or raise LeaseHeldError; a lapsed lease, or one whose process on this
        host is dead, is taken over.
        """

    def renew(self, holder: Holder, now: int, lifetime: int) -> Holder:
        """Prolong the lease; raises LeaseLostError where it is no longer ours."""

    def release(self, holder: Holder) -> None: ...

    def holder(self, now: int) -> Holder | None:
        """Who holds the lease now."""

    def unlock(self) -> Holder | None:
        """Break the lease, whoever holds it, for a person who knows better; returns who held it."""

    def begin(self, holder: Holder, run: Run) -> None:
        """Open a run; raises LeaseLostError where the lease is no longer the holder's."""

    def record_intents(self, holder: Holder, run: str, operations: Sequence[Operation], now: int) -> None:
        """Journal that these are to be sent by a run, before any of them is; raises LeaseLostError before anything is
        written.
        """

    def begin_attempts(self, holder: Holder, keys: Iterable[str], now: int) -> None:
        """Journal that these operations are being sent from now on; the same durable step checks that they may be.

        Raises LeaseLostError unless the holder's fence is still the highest and its lease still runs by the ledger's
        clock.
        """

    def record_outcomes(self, outcomes: Iterable[Outcome], now: int) -> None:
        """Journal what became of operations. One that is done stays done until it is begun again: a run that lost its
        lease may still tell what became of its own attempt, which another run has completed meanwhile.
        """

    def confirm(self, keys: Iterable[str], now: int, shown: Mapping[str, str] = MappingProxyType({})) -> None:
        """Journal that the service shows the effect of these; ``shown`` maps those that push alarms to the digest of
        the content it shows, ``AS_SENT`` if that is what was sent. The first confirmation of an attempt counts.
        """

    def shown(self, keys: Iterable[str]) -> Mapping[str, str]:
        """What the service showed of these when they were confirmed, as ``confirm`` was told; those that are known."""

    def end(self, run: str, state: RunState, now: int) -> None: ...

    def learn(self, target: str, behaviour: Behaviour, now: int) -> None:
        """Journal how the service at a target behaves; the last word counts."""

    def behaviour(self, target: str) -> Behaviour:
        """How the service at a target was last seen to behave; nothing is known of one that was never learnt."""

    def open_intents(self) -> Sequence[Entry]:
        """Operations whose intent is journalled and whose outcome is not, or is unknown; oldest first."""

    def in_flight(self, now: int) -> Mapping[str, InFlight]:
        """The open operations that may have been sent, by key; the others never were."""

    def statuses(self, keys: Iterable[str]) -> Mapping[str, Status]:
        """The outcome of each of these operations that has one."""

    def view(self, now: int, visible_within: int, targets: Mapping[str, str] | None = None) -> LedgerView:
        """The past as the planner may know it; ``recent`` reaches back ``visible_within`` ms.

        ``targets`` maps the key of every configured provider to its target: what was done at another one is left out
        (rule 14), and reported in ``orphans``.
        """

    def runs(self) -> Sequence[Run]:
        """Every run, newest first."""

    def entries(self, run: str) -> Sequence[Entry]:
        """The operations of one run (its id, or a unique prefix), in the order they were journalled; KeyError if
        there is none.
        """

    def batch(self) -> AbstractContextManager[None]:
        """Group several writes into one durable step."""

    def close(self) -> None: ...


def new_run_id() -> str:
    """An id that no other run has."""
    return os.urandom(8).hex()


def matching_runs(name: str, ids: Iterable[str]) -> list[str]:
    """The run ids that a name means: the id that equals it, else all that begin with it, in the order given."""
    begun = [id for id in ids if id.startswith(name)]
    return [name] if name in begun else begun
