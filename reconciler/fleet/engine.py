"""The protocol of an engine, which runs the units of a fleet in parallel.

An engine starts units, reports when each has started and how it ended, and can be asked to stop. Everything else
(waves, limits on failures, the report) is the fleet's. An engine may run a unit twice (if a worker died, or the network
failed): leases, fences and settling make that harmless, so an engine need not guarantee exactly-once execution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple, Protocol

from reconciler.app.unit import BATCHED, Unit, UnitResult

MAX_PARALLEL = 8
"""The default number of units that run at once."""
MAX_BATCH = 100
"""The maximum number of units that share queries: their stacks are all open at the same time."""
GRACE = 10_000
"""How long (ms) a unit may take to stop when asked, before it is killed."""


class EngineLimits(NamedTuple):
    """How many units run at once, and how long (ms) to wait for a unit that was asked to stop.

    Units that only query are given to a worker in batches of ``batch``, so that they share queries; each of the
    ``max_parallel`` workers then has up to that many.
    """

    max_parallel: int = MAX_PARALLEL
    grace: int = GRACE
    batch: int = 1


def batch_size(units: int, workers: int) -> int:
    """The batch size that divides this many units among the workers."""
    return max(1, min(MAX_BATCH, -(-units // workers)))


def next_units(units: Iterator[Unit], limits: EngineLimits) -> list[Unit]:
    """The next units for one worker: a single one, or a batch of units that can share queries; empty at the end."""
    first = next(units, None)
    if first is None:
        return []
    return [first, *(islice(units, limits.batch - 1) if first.kind in BATCHED else ())]


class Started(NamedTuple):
    """A unit has started on a worker: a process on this machine or elsewhere."""

    unit: Unit
    worker: str


class Finished(NamedTuple):
    """A unit has ended."""

    result: UnitResult


Event = Started | Finished


class Engine(Protocol):
    """Runs units. One run at a time; ``stop`` may be called from a signal handler or another thread."""

    def run(self, units: Iterable[Unit], limits: EngineLimits) -> Iterator[Event]:
        """Run the units, at most ``limits.max_parallel`` at once, and yield events as they happen.

        The next unit, or batch, is taken from ``units`` only when a worker is free, so that the caller can stop early.
        Every unit taken gets a ``Finished``; errors of units are results, never exceptions.
        """

    def stop(self) -> None:
        """Start no further unit, and ask running units to stop cleanly; ``run`` then returns."""
