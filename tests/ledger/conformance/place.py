"""A place for ledgers in some store, opened as a command opens it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.ledger.location import Location, open_at, read_at
from reconciler.ledger.protocol import Holder, Ledger
from tests.ledger.samples import NOW, acquire_lease, run

STACK = "shop"


@dataclass(frozen=True, slots=True)
class Place:
    """A directory, or the URL of a shared ledger."""

    where: Path | str

    def open(self, stack: str = STACK) -> Ledger:
        return open_at(Location(self.where, stack))

    def read(self, stack: str = STACK) -> Ledger:
        return read_at(Location(self.where, stack))

    @contextmanager
    def opened(self, stack: str = STACK) -> Iterator[Ledger]:
        with closing(self.open(stack)) as ledger:
            yield ledger

    @contextmanager
    def begun(self, id: str = "run-1", stack: str = STACK) -> Iterator[tuple[Ledger, Holder]]:
        """A ledger whose lease is taken and where a run has begun."""
        with self.opened(stack) as ledger:
            holder = acquire_lease(ledger)
            ledger.begin(holder, run(id))
            yield ledger, holder


def wait_until_free(ledger: Ledger) -> None:
    """Wait until the lease has lapsed by the store's own clock."""
    while ledger.holder(time.time_ns() // 1_000_000) is not None:
        time.sleep(0.01)


def now() -> int:
    """The present; leases of a file go by it where the machine has no other clock."""
    return time.time_ns() // 1_000_000


__all__ = ["NOW", "Place", "now", "wait_until_free"]
