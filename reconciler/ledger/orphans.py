"""Orphan alarms: pushed to a target that no provider is configured for any more, and not known to be over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.core.address import Address
from reconciler.core.operation import Verb
from reconciler.ledger.protocol import Entry, Orphan, is_at

_Place = tuple[str, str | None]
"""The key of a provider, and its target at the time; None if the run did not say."""


def orphans(done: Iterable[Entry], targets: Mapping[str, str], now: int, lifetime: int) -> tuple[Orphan, ...]:
    """What was left behind at other providers than these, or at other targets of them, and may still fire at ``now``
    (epoch ms).

    ``done`` are operations that are done, in the order they ended. ``targets`` maps the key of every configured
    provider to its target. ``lifetime`` (ms) is how long an alarm fires at the most whose push does not tell.
    """
    found = (
        _orphan(entry, lifetime)
        for entry in _standing(done)
        if entry.operation.provider not in targets or not is_at(entry, targets)
    )
    return tuple(sorted((item for item in found if item.over_by > now), key=lambda item: str(item.address)))


def _standing(done: Iterable[Entry]) -> list[Entry]:
    """The last push of each alarm that no later clear took away.

    A provider has one alarm at an address of a target. One that begins when another provider's did is that very alarm,
    seen through both; so is what a provider clears without having pushed it. Alarms at different targets are never the
    same.
    """
    standing: dict[Address, dict[_Place, Entry]] = {}
    for entry in done:
        operation = entry.operation
        if operation.occurrence is not None or operation.only_if_duplicate:
            continue
        here = standing.setdefault(operation.address, {})
        near = [place for place in here if None in (place[1], entry.target) or place[1] == entry.target]
        own = [place for place in near if place[0] == operation.provider]
        if operation.verb is Verb.PUSH:
            for place in near:
                if place in own or here[place].operation.begins_at == operation.begins_at is not None:
                    del here[place]
            here[operation.provider, entry.target] = entry
        else:
            # A run clears what was there before its own push.
            for place in [place for place in own if here[place].run != entry.run] if own else near:
                del here[place]
    return [entry for here in standing.values() for entry in here.values()]


def _orphan(entry: Entry, lifetime: int) -> Orphan:
    operation = entry.operation
    at = entry.ended_at or entry.intended_at
    if operation.send_by is not None and operation.begins_at is not None:
        # It may be sent as long as it would not be over on arrival; a service may count from the arrival.
        lifetime = operation.send_by - operation.begins_at
    return Orphan(operation.key, operation.address, operation.provider, at + lifetime, entry.target)
