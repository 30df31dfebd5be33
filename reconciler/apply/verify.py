"""Verification: polls until pushed objects are visible and cleared alarms are gone (rule 9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from threading import Event
from typing import NamedTuple

from reconciler.apply.options import Progress
from reconciler.core.clock import Clock
from reconciler.core.digest import content_digest
from reconciler.core.observed import Observed, State
from reconciler.core.operation import Operation, ServiceErrorDetail, Verb
from reconciler.core.retry import poll_intervals
from reconciler.ledger.protocol import AS_SENT
from reconciler.providers.protocol import ErrorKind, Provider, ServiceError


class Verification(NamedTuple):
    """The keys of operations that are not confirmed, and the visible content of the pushes that are, as the ledger
    stores it.

    ``doubled`` are the keys of pushes by which two alarms fire, by provider.
    """

    unseen: frozenset[str]
    shown: Mapping[str, str]
    doubled: Mapping[str, frozenset[str]]


def verify(
    operations: Sequence[Operation],
    providers: Mapping[str, Provider],
    clock: Clock,
    stop: Event,
    progress: Progress,
    *,
    within: int | None = None,
) -> Verification:
    """Poll until every operation's effect is visible, or its service's window has passed.

    ``within`` (ms) replaces the services' windows. Raises DeniedError.
    """
    unseen = {
        key: [item for item in operations if item.provider == key] for key in {item.provider for item in operations}
    }
    contents: dict[str, str] = {}
    doubled: dict[str, frozenset[str]] = {}
    began = clock.monotonic()
    for pause in poll_intervals():
        now = clock.monotonic()
        for key, waiting in unseen.items():
            if waiting:
                found = observe_effects(providers[key], waiting) or ()
                contents.update(shown_contents(waiting, found))
                if twice := doubled_pushes(found).intersection(item.key for item in waiting):
                    doubled[key] = twice | doubled.get(key, frozenset())
                visible = visible_operations(waiting, found)
                unseen[key] = [item for item in waiting if item.key not in visible]
        left = [key for key, waiting in unseen.items() if waiting]
        until = [began + (providers[key].limits.visible_within if within is None else within) for key in left]
        if now >= max(until, default=0):
            break
        progress.verifying(sum(map(len, unseen.values())), clock.now() + max(until) - now)
        if clock.pause(pause, stop):
            break
    return Verification(frozenset(item.key for waiting in unseen.values() for item in waiting), contents, doubled)


def visible_operations(operations: Iterable[Operation], seen: Iterable[Observed]) -> frozenset[str]:
    """The keys of the operations whose effect is visible.

    A push of an alarm is recognized by its key, that of an event by address and occurrence. A clear has taken effect
    when its target is no longer active; one that is ``only_if_duplicate``, also when its target now has the key of the
    push it follows.
    """
    keys: set[str] = set()
    facts: set[tuple[object, str | None]] = set()
    active: dict[str, str] = {}
    for found in seen:
        if found.state is State.RECORDED:
            facts.add((found.marks.address, found.marks.occurrence))
        elif found.state is State.ACTIVE:
            keys.add(found.marks.key)
            active[found.id] = found.marks.key
    return frozenset(operation.key for operation in operations if _holds(operation, keys, facts, active))


def shown_contents(operations: Iterable[Operation], seen: Iterable[Observed]) -> Mapping[str, str]:
    """The visible content of the alarms that these operations pushed, by key, as the ledger stores it."""
    pushed = {item.key: item.digest for item in operations if item.verb is Verb.PUSH and item.occurrence is None}
    contents = {}
    for found in seen:
        key = found.marks.key
        if found.state is State.ACTIVE and key in pushed:
            content = content_digest(found.marks.address.type, found.identity, found.attributes)
            contents[key] = AS_SENT if content == pushed[key] else content
    return contents


def doubled_pushes(seen: Iterable[Observed]) -> frozenset[str]:
    """The keys that two active alarms share: pushes that a service without merging received twice."""
    found: set[str] = set()
    twice: set[str] = set()
    for item in seen:
        if item.state is State.ACTIVE and (key := item.marks.key):
            (twice if key in found else found).add(key)
    return frozenset(twice)


def _holds(operation: Operation, keys: set[str], facts: set[tuple[object, str | None]], active: dict[str, str]) -> bool:
    if operation.verb is Verb.PUSH:
        if operation.occurrence is not None:
            return (operation.address, operation.occurrence) in facts
        return operation.key in keys
    carried = active.get(operation.target or "")
    return carried is None or (operation.only_if_duplicate and carried == operation.depends_on)


class DeniedError(Exception):
    """The run must stop: a service rejects the credentials."""

    def __init__(self, detail: ServiceErrorDetail) -> None:
        super().__init__(str(detail))
        self.detail = detail


def read_back(provider: Provider, operations: Sequence[Operation]) -> frozenset[str] | None:
    """The keys of operations with a visible effect; None if the service cannot be queried. Raises DeniedError."""
    found = observe_effects(provider, operations)
    return None if found is None else visible_operations(operations, found)


def observe_effects(provider: Provider, operations: Sequence[Operation]) -> list[Observed] | None:
    """What the service shows of these operations; None if it cannot be queried. Raises DeniedError."""
    try:
        return list(provider.read_back(operations))
    except ServiceError as error:
        if error.kind is ErrorKind.DENIED:
            raise DeniedError(error.detail) from error
        return None
