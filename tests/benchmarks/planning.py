"""Planning in memory: whether 100,000 alarms cost more for each than 10,000."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from tests.benchmarks import plan_once
from tests.benchmarks.rounds import take_turns
from tests.benchmarks.row import Row, alone, compared

NAME = "planning"


class _Cost(NamedTuple):
    """For each alarm: microseconds of processor time, and bytes of peak memory."""

    microseconds: float
    memory: float


def run(quick: bool) -> list[Row]:
    """Compare; ``quick`` takes a twentieth of the alarms and one round."""
    # The small one runs several times in a round: a machine that changes its speed must meet both alike.
    small, rounds, again = (500, 1, 1) if quick else (10_000, 7, 5)
    large = 10 * small
    rows = []
    for mode, work, target in (
        ("whole", "load {:,} alarms from a for_each and plan them, no changes", 1.15),
        ("plan", "plan {:,} alarms in memory, one in a hundred differs", 1.2),
        ("replace", "replace {:,} alarms in memory: plan, show all, save", 1.15),
    ):
        sides: dict[str, Callable[[], _Cost]] = {
            "large": lambda mode=mode: _launch(mode, large),
            "small": lambda mode=mode: _mean([_launch(mode, small) for _ in range(again)]),
        }
        costs = take_turns(sides, rounds)
        against = f"the same of {small:,}"
        for index, (what, unit) in enumerate((("time for each", "µs"), ("peak memory for each", "bytes"))):
            mine, other = ([cost[index] for cost in costs[side]] for side in ("large", "small"))
            rows.append(compared(f"{work.format(large)}: {what}", against, mine, other, target, unit=unit))
        total = [cost.microseconds * large / 1e6 for cost in costs["large"]]
        rows.append(alone(f"{work.format(large)}: in all", total))
    return rows


def _mean(costs: Sequence[_Cost]) -> _Cost:
    return _Cost(fmean(cost.microseconds for cost in costs), fmean(cost.memory for cost in costs))


def _launch(mode: str, count: int) -> _Cost:
    """One measurement, in a fresh process: memory that was used before would hide a peak."""
    program = [sys.executable, "-m", plan_once.__name__, mode, str(count)]
    root = Path(__file__).parents[2]
    seconds, memory = json.loads(subprocess.run(program, cwd=root, capture_output=True, text=True, check=True).stdout)  # noqa: S603 - a command of ours
    return _Cost(seconds / count * 1e6, memory / count)
