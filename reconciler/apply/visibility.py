"""Visibility: whether what the service shows proves an operation's effect."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.core.observed import Observed, State
from reconciler.core.operation import Operation, Verb


def visible_operations(operations: Iterable[Operation], seen: Iterable[Observed]) -> frozenset[str]:
    """The keys of the operations whose effect is there.

    A push of an alarm is known by its key, of an event by address and occurrence. A clear has taken effect when its
    target is not active any more; one that is due ``only_if_duplicate`` also when its target now carries the push it
    follows.
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


def _holds(operation: Operation, keys: set[str], facts: set[tuple[object, str | None]], active: dict[str, str]) -> bool:
    if operation.verb is Verb.PUSH:
        if operation.occurrence is not None:
            return (operation.address, operation.occurrence) in facts
        return operation.key in keys
    carried = active.get(operation.target or "")
    return carried is None or (operation.only_if_duplicate and carried == operation.depends_on)
