"""Growth: plan, apply and destroy from 1,000 to 1,000,000 alarms, what each alarm costs, and the curves of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from tests.benchmarks import growth_once
from tests.benchmarks.row import Point, Row, alone, compared

NAME = "growth"

_GIB = 2**30
_MOST = 2.5 * _GIB
FLAT = 1.15
"""What each of many alarms may cost, to what each of fewer costs."""

_PANELS = (("time for each alarm", "µs"), ("peak memory for each alarm", "bytes"))


class Cost(NamedTuple):
    """Processor seconds, bytes by which the peak of memory grew, and that peak."""

    seconds: float
    grown: float
    memory: float


def run(quick: bool) -> list[Row]:
    """Compare; ``quick`` takes a few alarms. One round: a million alarms take minutes, which evens out the machine."""
    counts = (100, 300, 1_000) if quick else (1_000, 10_000, 100_000, 1_000_000)
    rows = []
    for mode, work in growth_once.MODES.items():
        # The small ones run several times: a machine that changes its speed must meet all alike.
        costs = {count: _mean([_once(mode, count) for _ in range(_times(count, quick))]) for count in counts}
        rows += [row for count in counts for row in _points(work, count, costs[count])]
        bound = FLAT if work.startswith("plan") else None
        rows += flat(f"{work}, service in memory", counts[-1], costs[counts[-1]], counts[-2], costs[counts[-2]], bound)
        if mode == "unchanged":
            rows.append(bounded(f"{work}, {counts[-1]:,} alarms, service in memory", costs[counts[-1]]))
    return rows


def _times(count: int, quick: bool) -> int:
    return 1 if quick else max(1, min(5, 100_000 // count))


def _mean(costs: list[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(*(sorted(each)[len(costs) // 2] for each in zip(*costs, strict=True)))


def _points(work: str, count: int, cost: Cost) -> list[Row]:
    found = (cost.seconds / count * 1e6, cost.grown / count)
    totals = (f"{cost.seconds:,.1f} s in all", f"{cost.memory / _GIB:,.2f} GiB in all")
    return [
        alone(f"{work}, {count:,} alarms: {panel}", [number], unit=unit, note=total)._replace(
            point=Point(panel, work, count)
        )
        for (panel, unit), number, total in zip(_PANELS, found, totals, strict=True)
    ]


def flat(work: str, large: int, cost: Cost, small: int, other: Cost, bound: float | None) -> list[Row]:
    """What each alarm costs among many, against what it costs among fewer; ``bound`` is the target of the ratio."""
    against = f"the same of {small:,}"
    sides = ((cost.seconds * 1e6, other.seconds * 1e6), (cost.grown, other.grown))
    return [
        compared(f"{work}, {large:,} alarms: {panel}", against, [mine / large], [its / small], bound, unit=unit)
        for (panel, unit), (mine, its) in zip(_PANELS, sides, strict=True)
    ]


def bounded(work: str, cost: Cost) -> Row:
    """The peak of memory, against the most that it may be."""
    return compared(
        f"{work}: peak memory", f"{_MOST / _GIB} GiB", [cost.memory / _GIB], [_MOST / _GIB], 1.0, unit="GiB"
    )


def _once(mode: str, count: int) -> Cost:
    """One measurement, in a fresh process: memory that was used before would hide a peak."""
    program = [sys.executable, "-m", growth_once.__name__, mode, str(count)]
    root = Path(__file__).parents[2]
    begun = perf_counter()
    ended = subprocess.run(program, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - a command of ours
    told(f"{growth_once.MODES[mode]}, {count:,} alarms", begun)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(program)} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return Cost(*json.loads(ended.stdout))


def told(work: str, begun: float) -> None:
    """Say that a measurement ended: a whole group takes many minutes."""
    sys.stderr.write(f"{work}: {perf_counter() - begun:.0f} s\n")
