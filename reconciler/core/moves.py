"""Moves: the earlier addresses of renamed objects, by the ``moved`` blocks of a configuration."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind
from reconciler.core.diagnostic import Position


class Move(NamedTuple):
    """One rename. Between two addresses without a key it renames every instance of a resource, keeping its key."""

    source: Address
    destination: Address
    position: Position | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it renames a resource with all its instances."""
        return self.source.key is None and self.destination.key is None

    def apply(self, address: Address) -> Address | None:
        """The new address; None if the move does not apply to this one."""
        if address == self.source:
            return self.destination
        if self.is_whole and address[:2] == self.source[:2]:
            return self.destination._replace(key=address.key)
        return None


class Moves:
    """All moves of a stack; they compose: ``a`` may be moved to ``b`` and ``b`` to ``c``.

    A move of one instance has precedence over that of the whole resource. There are no cycles.
    """

    def __init__(self, entries: tuple[Move, ...] = ()) -> None:
        self.entries = entries

    def destination(self, address: Address) -> Address:
        """The final address; the address itself if no move applies."""
        seen = {address}
        while True:
            move = self._exact.get(address) or self._whole.get(address[:2])
            found = move.apply(address) if move is not None else None
            if found is None or found in seen:
                return address
            seen.add(found)
            address = found

    def sources(self, address: Address) -> tuple[Address, ...]:
        """Every other address whose final address is this one; the latest name first."""
        if not self.entries:
            return ()
        found: dict[Address, None] = {}
        waiting = [address]
        while waiting:
            for source in self._before(waiting.pop(0)):
                if source != address and source not in found:
                    found[source] = None
                    waiting.append(source)
        return tuple(source for source in found if self.destination(source) == address)

    def __bool__(self) -> bool:
        return bool(self.entries)

    def _before(self, address: Address) -> Iterator[Address]:
        for move in self._inverse.get(address, ()):
            yield move.source
        if address.key is not None:
            for move in self._inverse.get(address._replace(key=None), ()):
                if move.is_whole:
                    yield move.source._replace(key=address.key)

    @cached_property
    def _exact(self) -> dict[Address, Move]:
        return {move.source: move for move in self.entries}

    @cached_property
    def _whole(self) -> dict[tuple[str, str], Move]:
        return {move.source[:2]: move for move in self.entries if move.is_whole}

    @cached_property
    def _inverse(self) -> dict[Address, list[Move]]:
        found: dict[Address, list[Move]] = {}
        for move in self.entries:
            found.setdefault(move.destination, []).append(move)
        return found


NO_MOVES = Moves()


def earlier_events(desired: Iterable[Desired], moves: Moves) -> Iterator[Desired]:
    """The events under their earlier addresses, for a service without marks, which is queried for each."""
    for item in desired if moves else ():
        if item.kind is Kind.EVENT:
            for source in moves.sources(item.address):
                yield item._replace(address=source)
