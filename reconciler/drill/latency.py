"""Latencies of several runs: how long each stage of an alarm took, from its push to the delivery of its end."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from reconciler.core.duration import MINUTE, SECOND
from reconciler.drill.record import Emission, Record

BOUNDS = (SECOND // 2, SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE)
"""The upper bounds (ms) of a histogram's buckets; one more bucket has the larger values."""


class LatencyStage(NamedTuple):
    """A stage of an alarm's delivery; ``key`` names it in documents and metrics."""

    key: str
    name: str
    about: str
    measure: Callable[[Emission], int | None]
    """How long (ms) it took: from the push, or from the alarm's end."""


LATENCY_STAGES = (
    LatencyStage(
        "visible_after", "shown", "from the push until a query shows the alarm", lambda sent: sent.visible_after
    ),
    LatencyStage(
        "notified_after", "notified", "from the push until the service notified", lambda sent: sent.notified_after
    ),
    LatencyStage(
        "delivered_after", "delivered", "from the push until a receiver got it", lambda sent: sent.delivered_after
    ),
    LatencyStage("gone_after", "cleared", "from the end until no query shows the alarm", lambda sent: sent.gone_after),
    LatencyStage(
        "resolved_after", "end delivered", "from the end until a receiver got it", lambda sent: sent.resolved_after
    ),
)


class Spread(NamedTuple):
    """The latencies (ms) of one stage in one run, sorted; never empty."""

    values: tuple[int, ...]

    @property
    def median(self) -> int:
        return round(median(self.values))

    @property
    def least(self) -> int:
        return self.values[0]

    @property
    def most(self) -> int:
        return self.values[-1]


class RunLatencies(NamedTuple):
    """A run with the spread of each known stage, by the stage's key."""

    record: Record
    spreads: dict[str, Spread]


@dataclass(frozen=True, slots=True)
class History:
    """The runs of one drill, oldest first."""

    drill: str
    runs: tuple[RunLatencies, ...]

    def known(self, stage: LatencyStage) -> list[tuple[RunLatencies, Spread]]:
        """The runs in which a stage was measured."""
        return [(run, run.spreads[stage.key]) for run in self.runs if stage.key in run.spreads]

    def histogram(self, stage: LatencyStage) -> list[int]:
        """How many alarms of all runs took up to each bound, and more than the last one."""
        counts = [0] * (len(BOUNDS) + 1)
        for _, spread in self.known(stage):
            for value in spread.values:
                counts[bisect_left(BOUNDS, value)] += 1
        return counts

    def moved(self, stage: LatencyStage) -> int | None:
        """The change (ms) of the median between the last two runs; None without two."""
        known = self.known(stage)
        return known[-1][1].median - known[-2][1].median if len(known) > 1 else None


def latencies(record: Record) -> RunLatencies:
    """The latencies of a run, without alarms that were never sent."""
    sent = [each for each in record.alarms if not each.unsent]
    spreads = {}
    for stage in LATENCY_STAGES:
        values = sorted(value for each in sent if (value := stage.measure(each)) is not None)
        if values:
            spreads[stage.key] = Spread(tuple(values))
    return RunLatencies(record, spreads)


def histories(records: Iterable[Record], drill: str | None, last: int) -> list[History]:
    """The last runs of each drill, or of one; ``records`` come newest first.

    Runs without any latency are left out; rehearsals count only for a drill that was never run for real.
    """
    found: dict[str, list[RunLatencies]] = {}
    for record in records:
        if drill in (None, record.drill) and (run := latencies(record)).spreads:
            found.setdefault(record.drill, []).append(run)
    return [History(name, tuple(reversed(_real(runs)[:last]))) for name, runs in sorted(found.items())]


def _real(runs: Sequence[RunLatencies]) -> Sequence[RunLatencies]:
    return [run for run in runs if not run.record.rehearsal] or runs
