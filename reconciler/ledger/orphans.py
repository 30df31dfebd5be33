"""Orphan alarms: pushed through a provider that is not configured any more, and not known to be over."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from reconciler.core.address import Address
from reconciler.core.operation import Verb
from reconciler.ledger.protocol import Entry, Orphan


def orphans(done: Iterable[Entry], providers: Collection[str], now: int, lifetime: int) -> tuple[Orphan, ...]:
    """What was left behind at other providers than these, and may still fire at ``now`` (epoch ms).

    ``done`` are operations that are done, in the order they ended. ``lifetime`` (ms) is how long an alarm fires at the
    most whose push does not tell.
    """
    found = (_orphans(entry, lifetime) for entry in _standing(done) if entry.operation.provider not in providers)
    return tuple(sorted((item for item in found if item.over_by > now), key=lambda item: str(item.address)))


def _standing(done: Iterable[Entry]) -> list[Entry]:
    """The last push of each alarm that no later clear took away.

    A provider has one alarm at an address. One that begins when another provider's did is that very alarm, seen through
    both; so is what a provider clears without having pushed it.
    """
    standing: dict[Address, dict[str, Entry]] = {}
    for entry in done:
        operation = entry.operation
        if operation.occurrence is not None or operation.only_if_duplicate:
            continue
        here = standing.setdefault(operation.address, {})
        if operation.verb is Verb.PUSH:
            for key, other in list(here.items()):
                if other.operation.begins_at == operation.begins_at is not None:
                    del here[key]
            here[operation.provider] = entry
        elif operation.provider not in here:
            here.clear()
        elif here[operation.provider].run != entry.run:  # a run clears what was there before its own push
            del here[operation.provider]
    return [entry for here in standing.values() for entry in here.values()]


def _orphans(entry: Entry, lifetime: int) -> Orphan:
    operation = entry.operation
    at = entry.ended_at or entry.intended_at
    if operation.send_by is not None and operation.begins_at is not None:
        # It may be sent as long as it would not be over on arrival; a service may count from the arrival.
        lifetime = operation.send_by - operation.begins_at
    return Orphan(operation.key, operation.address, operation.provider, at + lifetime)
