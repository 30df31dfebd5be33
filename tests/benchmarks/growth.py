"""Growth: plan, apply and destroy from 1,000 to 1,000,000 alarms, what each alarm costs, and the curves of it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from tests.benchmarks import growth_once
from tests.benchmarks.alternatives import ours, ours_at_hand
from tests.benchmarks.launch import launch
from tests.benchmarks.processes import emulator
from tests.benchmarks.row import Point, Row, alone, compared
from tests.benchmarks.stacks import for_each

NAME = "growth"

_GIB = 2**30
_MOST = 2.5 * _GIB
_FLAT = 1.15
_PANELS = (("time for each alarm", "µs"), ("peak memory for each alarm", "bytes"))


class _Cost(NamedTuple):
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
        rows += _flat(f"{work}, service in memory", counts[-1], costs[counts[-1]], counts[-2], costs[counts[-2]])
        if mode == "unchanged":
            rows.append(_bounded(f"{work}, {counts[-1]:,} alarms, service in memory", costs[counts[-1]]))
    small, large = counts[-2:]
    costs = {count: _over_http(count, quick) for count in (small, large)}
    rows += _flat("plan, no changes, whole command over HTTP", large, costs[large], small, costs[small])
    rows.append(_bounded(f"plan, no changes, {large:,} alarms, whole command over HTTP", costs[large]))
    return rows


def _times(count: int, quick: bool) -> int:
    return 1 if quick else max(1, min(5, 100_000 // count))


def _mean(costs: list[_Cost]) -> _Cost:
    """The median of each figure."""
    return _Cost(*(sorted(each)[len(costs) // 2] for each in zip(*costs, strict=True)))


def _points(work: str, count: int, cost: _Cost) -> list[Row]:
    found = (cost.seconds / count * 1e6, cost.grown / count)
    totals = (f"{cost.seconds:,.1f} s in all", f"{cost.memory / _GIB:,.2f} GiB in all")
    return [
        alone(f"{work}, {count:,} alarms: {panel}", [number], unit=unit, note=total)._replace(
            point=Point(panel, work, count)
        )
        for (panel, unit), number, total in zip(_PANELS, found, totals, strict=True)
    ]


def _flat(work: str, large: int, cost: _Cost, small: int, other: _Cost) -> list[Row]:
    against = f"the same of {small:,}"
    sides = ((cost.seconds * 1e6, other.seconds * 1e6), (cost.grown, other.grown))
    return [
        compared(f"{work}, {large:,} alarms: {panel}", against, [mine / large], [its / small], _FLAT, unit=unit)
        for (panel, unit), (mine, its) in zip(_PANELS, sides, strict=True)
    ]


def _bounded(work: str, cost: _Cost) -> Row:
    return compared(
        f"{work}: peak memory", f"{_MOST / _GIB} GiB", [cost.memory / _GIB], [_MOST / _GIB], 1.0, unit="GiB"
    )


def _once(mode: str, count: int) -> _Cost:
    """One measurement, in a fresh process: memory that was used before would hide a peak."""
    program = [sys.executable, "-m", growth_once.__name__, mode, str(count)]
    root = Path(__file__).parents[2]
    begun = perf_counter()
    ended = subprocess.run(program, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - a command of ours
    _told(f"{growth_once.MODES[mode]}, {count:,} alarms", begun)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(program)} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return _Cost(*json.loads(ended.stdout))


def _told(work: str, begun: float) -> None:
    """Say that a measurement ended: the whole group takes many minutes."""
    sys.stderr.write(f"{NAME}: {work}: {perf_counter() - begun:.0f} s\n")


def _over_http(count: int, quick: bool) -> _Cost:
    """A plan as a whole command, of a stack that was applied to an emulator before."""
    program = ours_at_hand() if quick else ours()
    with tempfile.TemporaryDirectory() as directory, emulator() as service:
        home = Path(directory)
        (home / "stack.yaml").write_bytes(for_each(count, service.url).replace(b"timeout: 30m", b"timeout: 5d"))
        begun = perf_counter()
        launch([program, "apply", "--auto-approve"], home)
        cost = launch([program, "plan"], home)
        _told(f"apply over HTTP to plan against, {count:,} alarms", begun)
    return _Cost(cost.processor, cost.memory, cost.memory)
