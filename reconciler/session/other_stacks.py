"""The other stacks of a ledger, and their alarms that may still fire according to it. No service is queried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from reconciler.core.diagnostic import DiagnosticError
from reconciler.ledger.kinds import list_stacks
from reconciler.ledger.location import Location, read_at
from reconciler.ledger.protocol import Orphan

MOST_READ = 100
"""How many stacks are read: each takes a query or more."""


class OtherStack(NamedTuple):
    """A stack, and its alarms that are not known to have ended."""

    name: str
    alarms: tuple[Orphan, ...]


class OtherStacks(NamedTuple):
    """The stacks of a ledger that may have active alarms; ``place`` is the ledger for messages.

    ``unread`` are the names of stacks that were not read: their ledger cannot be read, or there are too many.
    """

    place: str
    firing: tuple[OtherStack, ...]
    unread: tuple[str, ...] = ()


def other_stacks(location: Location, now: int) -> OtherStacks:
    """What the ledger at a location knows of the other stacks, at ``now`` (epoch ms).

    Raises DiagnosticError if the stacks of a shared ledger cannot be listed.
    """
    place = location.place
    names = [name for name in _names(location) if name != location.stack]
    firing, unread = [], list(names[MOST_READ:])
    for name, alarms in _read((Location(place, name) for name in names[:MOST_READ]), now):
        if alarms is None:
            unread.append(name)
        elif alarms:
            firing.append(OtherStack(name, alarms))
    text = str(place) if isinstance(place, Path) else str(location)
    return OtherStacks(text, tuple(firing), tuple(unread))


def _names(location: Location) -> list[str]:
    if isinstance(location.place, Path):
        return sorted(file.stem for file in location.place.glob("*.db") if file.is_file())
    return [found.stack for found in list_stacks(location.place)]


def _read(locations: Iterable[Location], now: int) -> Iterator[tuple[str, tuple[Orphan, ...] | None]]:
    """The alarms of each stack that are not known to have ended; None if its ledger cannot be read."""
    for location in locations:
        try:
            with closing(read_at(location)) as ledger:
                yield location.stack, tuple(ledger.view(now, 0, {}).orphans)
        except (DiagnosticError, OSError):
            yield location.stack, None
