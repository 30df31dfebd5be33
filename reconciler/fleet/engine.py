"""The protocol of an engine: whatever runs the units of a fleet side by side.

An engine begins units, tells of each that it has begun and how it ended, and can be asked to stop. It decides nothing
else: waves, limits on failures and the report are the fleet's. It may run a unit twice (a worker died, a network was
cut): leases, fences and settling make that harmless, so an engine needs no exactly-once of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple, Protocol

from reconciler.app.unit import BATCHED, Unit, UnitResult

MAX_PARALLEL = 8
"""How many units run at once by default."""
MAX_BATCH = 100
"""How many units share queries at most: their stacks are open at the same time."""
GRACE = 10_000
"""How long (ms) a unit that was asked to stop may take before it is killed."""


class EngineLimits(NamedTuple):
    """How many units run at once, and how long (ms) one that was asked to stop is waited for.

    ``batch`` units that only query are given to a worker together, so that they share queries; then each of the
    ``max_parallel`` works on so many.
    """

    max_parallel: int = MAX_PARALLEL
    grace: int = GRACE
    batch: int = 1


def batch_size(units: int, workers: int) -> int:
    """How many of so many units each of the workers is given together."""
    return max(1, min(MAX_BATCH, -(-units // workers)))


def next_units(units: Iterator[Unit], limits: EngineLimits) -> list[Unit]:
    """The next units for one worker: one, or a batch of those that can share queries; empty at the end."""
    first = next(units, None)
    if first is None:
        return []
    return [first, *(islice(units, limits.batch - 1) if first.kind in BATCHED else ())]


class Started(NamedTuple):
    """A unit has begun, on a worker: a process of this machine, or one elsewhere."""

    unit: Unit
    worker: str


class Finished(NamedTuple):
    """A unit has ended."""

    result: UnitResult


Event = Started | Finished


class Engine(Protocol):
    """Runs units. One run at a time; ``stop`` may be called from a signal handler or another thread."""

    def run(self, units: Iterable[Unit], limits: EngineLimits) -> Iterator[Event]:
        """Run the units, at most ``limits.max_parallel`` at once, and yield what happens as it happens.

        The next unit, or batch, is taken from ``units`` only when there is room for it, so that whoever hands them out
        can end early. Every unit that was taken gets a ``Finished``; errors of units are results, never exceptions.
        """

    def stop(self) -> None:
        """Take no further unit, and ask those that run to stop cleanly; ``run`` then ends by itself."""
