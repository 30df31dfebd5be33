"""Growth over HTTP: the whole command that plans a million alarms, which an apply pushed to an emulator before."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter

from tests.benchmarks.alternatives import ours, ours_at_hand
from tests.benchmarks.growth import FLAT, Cost, bounded, flat, told
from tests.benchmarks.launch import launch
from tests.benchmarks.processes import emulator
from tests.benchmarks.row import Row
from tests.benchmarks.stacks import for_each

NAME = "growth over HTTP"


def run(quick: bool) -> list[Row]:
    """Compare, once; ``quick`` takes a few alarms."""
    small, large = (300, 1_000) if quick else (100_000, 1_000_000)
    applied, planned = zip(*(_measured(count, quick) for count in (small, large)), strict=True)
    rows = flat("apply, all created, whole command over HTTP", large, applied[1], small, applied[0], None)
    rows += flat("plan, no changes, whole command over HTTP", large, planned[1], small, planned[0], FLAT)
    return [*rows, bounded(f"plan, no changes, {large:,} alarms, whole command over HTTP", planned[1])]


def _measured(count: int, quick: bool) -> tuple[Cost, Cost]:
    """An apply of so many alarms, and a plan after it."""
    program = ours_at_hand() if quick else ours()
    with tempfile.TemporaryDirectory() as directory, emulator() as service:
        home = Path(directory)
        (home / "stack.yaml").write_bytes(for_each(count, service.url).replace(b"timeout: 30m", b"timeout: 5d"))
        costs = list[Cost]()
        for arguments in (["apply", "--auto-approve"], ["plan"]):
            begun = perf_counter()
            taken = launch([program, *arguments], home)
            told(f"{arguments[0]} over HTTP, {count:,} alarms", begun)
            costs.append(Cost(taken.processor, taken.memory, taken.memory))
    return costs[0], costs[1]
