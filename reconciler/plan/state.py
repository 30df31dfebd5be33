"""The known state: what a query found, corrected by what the ledger knows and the service does not show yet."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from reconciler.core.address import NAME, Address
from reconciler.core.desired import Desired, Kind
from reconciler.core.digest import digest
from reconciler.core.duration import MINUTE
from reconciler.core.observed import Marks, Observed, State
from reconciler.core.operation import Verb
from reconciler.ledger.protocol import Entry, LedgerView
from reconciler.plan.difference import is_altered

Value = TypeVar("Value")


class KnownState(NamedTuple):
    """What is known of a stack's objects.

    ``active`` has the firing alarms at each address, newest first. ``pending`` is the last done push at an address that
    is not visible yet. ``recorded`` are the events on record. ``ended`` is the last ended alarm at an address, if
    history was queried.
    """

    active: Mapping[Address, tuple[Observed, ...]]
    pending: Mapping[Address, Entry]
    recorded: frozenset[tuple[Address, str]]
    ended: Mapping[Address, Observed]
    ledger: LedgerView


def compacted(observed: Iterable[Observed], desired: Iterable[Desired]) -> Iterator[Observed]:
    """The same objects, sharing equal values with their declarations to save memory."""
    declared = {wanted.address: wanted for wanted in desired}
    texts: dict[str, str] = {}
    for found in observed:
        wanted = declared.get(found.marks.address)
        if wanted is None:
            yield found
            continue
        stack, _, digest_, key, run, occurrence, forget = found.marks
        same = digest_ == wanted.digest
        marks = Marks(
            texts.setdefault(stack, stack),
            wanted.address,
            wanted.digest if same else digest_,
            key,
            texts.setdefault(run, run),
            occurrence,
            forget,
        )
        if same and not is_altered(wanted, found):
            yield found._replace(marks=marks, identity=wanted.identity, attributes=wanted.attributes)
        else:
            identity = {name: _common(wanted.identity.get(name), value) for name, value in found.identity.items()}
            attributes = {name: _common(wanted.attributes.get(name), value) for name, value in found.attributes.items()}
            yield found._replace(marks=marks, identity=identity, attributes=attributes)


def _common(declared: Value | None, found: Value) -> Value:
    """The declared value if it equals the one found."""
    return declared if declared is not None and type(declared) is type(found) and declared == found else found


def merge(stack: str, observed: Iterable[Observed], ledger: LedgerView, history: Iterable[Observed] = ()) -> KnownState:
    """Merge what is known; objects without this stack's marks are ignored (rule 1)."""
    gone = {entry.operation.target for entry in ledger.recent if entry.operation.verb is Verb.CLEAR}
    active: dict[Address, tuple[Observed, ...]] = {}
    recorded = set(ledger.recorded)
    keys = set()
    for found in observed:
        marks = found.marks
        if marks.stack != stack:
            continue
        if found.state is State.RECORDED:
            recorded.add((marks.address, marks.occurrence or ""))
        elif found.state is State.ACTIVE and found.id not in gone:
            others = active.get(marks.address)
            active[marks.address] = tuple(sorted((*others, found), key=_newest_first)) if others else (found,)
            keys.add(marks.key)
    pending = {
        entry.operation.address: entry
        for entry in ledger.recent
        if entry.operation.verb is Verb.PUSH and entry.operation.occurrence is None and entry.operation.key not in keys
    }
    ended: dict[Address, Observed] = {}
    for found in history:
        if found.marks.stack == stack:
            last = ended.get(found.marks.address)
            if last is None or (found.ended_at or 0) > (last.ended_at or 0):
                ended[found.marks.address] = found
    return KnownState(
        active,
        pending,
        frozenset(recorded),
        ended,
        ledger,
    )


def forgotten_mark(found: Observed) -> str:
    """The occurrence under which the ledger records that an alarm is forgotten; pushing it again makes a new one."""
    return f"forgotten {found.marks.key or found.id}"


def is_forgotten(found: Observed, known: KnownState) -> bool:
    """Whether an alarm was deliberately left firing when it was no longer declared."""
    return (found.marks.address, forgotten_mark(found)) in known.recorded


def absent_addresses(desired: Sequence[Desired], known: KnownState) -> tuple[Address, ...]:
    """The addresses declared firing without an active alarm; their history says why."""
    return tuple(
        wanted.address
        for wanted in desired
        if wanted.kind is not Kind.EVENT
        and wanted.firing
        and wanted.address not in known.active
        and wanted.address not in known.pending
    )


def altered_keys(desired: Sequence[Desired], known: KnownState) -> list[str]:
    """The keys of alarms whose digest matches the declaration but whose content does not.

    What the ledger knows was shown of them tells whether they were edited.
    """
    return [
        found.marks.key
        for wanted in desired
        for found in known.active.get(wanted.address, ())
        if found.marks.digest == wanted.digest and is_altered(wanted, found)
    ]


def fingerprint(address: Address, desired: Desired | None, known: KnownState) -> str:
    """A digest of what is known at an address: a plan based on another digest is stale there (rule 10)."""
    if desired is not None and desired.kind is Kind.EVENT:
        return digest((address, desired.occurrence or "") in known.recorded)
    found = known.active.get(address, ())
    return digest(sorted({(item.id, item.marks.digest, item.marks.key) for item in found})) if found else _NOTHING


_NOTHING = digest([])  # one shared text for all empty addresses


def dedupe(provider: str, active: Sequence[Observed]) -> tuple[Observed, ...]:
    """The alarms at an address, each once.

    Providers that share a project show the same alarm; it counts as seen by ``provider`` if that is one of them.
    """
    if len(active) < 2:
        return tuple(active)
    found: dict[tuple[str, Marks], Observed] = {}
    for alarm in active:
        key = (alarm.id, alarm.marks)
        if key not in found or alarm.provider == provider:
            found[key] = alarm
    return tuple(found.values())


def _newest_first(found: Observed) -> tuple[int, str]:
    return (-found.starts_at, found.id)


GRACE = 10 * MINUTE
"""How long (ms) another ledger's canary is left to its owner: as long as it fires by default."""


def is_live_canary(address: Address, known: KnownState, now: int) -> bool:
    """Whether an undeclared alarm is a canary that its check still clears itself.

    A canary of this ledger is live only while another run holds the lease; otherwise it is left over from a crash.
    Other canaries are judged by their age.
    """
    return address.name == NAME and all(
        known.ledger.lease_held if found.marks.run in known.ledger.canary_plans else now - found.starts_at < GRACE
        for found in known.active[address]
    )
