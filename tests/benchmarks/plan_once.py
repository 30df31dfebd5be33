"""Plan so many alarms in memory, once, and print as JSON the processor seconds and the bytes of peak memory it took.

``python -m tests.benchmarks.plan_once whole|plan|replace COUNT``: with the loading of the configuration, or without it;
nothing changes, one in a hundred does, or all are replaced and the plan is shown and saved.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time

from reconciler.config.load import load_stack
from reconciler.config.stack import Inputs, StackConfig
from reconciler.config.yaml.source_map import Source
from reconciler.core.desired import Desired
from reconciler.core.observed import Marks, Observed, State
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan
from reconciler.plan.saved import plan_parts
from reconciler.providers.registry import Registry
from reconciler.views.text.plan import plan_lines
from tests.benchmarks.stacks import for_each

NOW = 1_767_225_600_000


def measured(work: Callable[[], Plan]) -> tuple[float, int]:
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = memory("VmRSS")
    begun = process_time()
    plan = work()
    seconds = process_time() - begun
    assert plan.changes
    return seconds, max(1, memory("VmHWM") - before)


def allocated(work: Callable[[], Plan]) -> int:
    """Bytes that Python allocates for it, at most: what loading left free, and a plan takes again, counts too."""
    gc.collect()
    tracemalloc.start()
    try:
        assert work().changes
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def memory(field: str) -> int:
    """Bytes of this process, by the name Linux gives them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def _observed(desired: Sequence[Desired], differing: int) -> list[Observed]:
    """What a service would show of these; one in ``differing`` says something else (0: none)."""
    return [found(item, number, differing > 0 and number % differing == 0) for number, item in enumerate(desired)]


def found(desired: Desired, number: int, differs: bool, *, replaced: bool = False) -> Observed:
    attributes = {**desired.attributes, "annotations": {"message": "something else"}} if differs else desired.attributes
    digest = f"{number:032x}" if differs or replaced else desired.digest
    marks = Marks("bench", desired.address, digest, f"key-{number}", "run")
    identity = {**desired.identity, "resource_type": "host"} if replaced else dict(desired.identity)
    return Observed("aom", str(number), marks, State.ACTIVE, identity, dict(attributes), NOW - 1000, NOW + 1_800_000)


def load(count: int, registry: Registry) -> StackConfig:
    return load_stack([Source("stack.yaml", for_each(count))], Path(), tuple(registry), Inputs())


def shown(plan: Plan) -> Plan:
    """The plan, once it is written as text and as a file, to nowhere."""
    with Path(os.devnull).open("w") as nowhere:
        nowhere.writelines(f"{line.text}\n" for line in plan_lines(plan, full=True))
        nowhere.writelines(plan_parts(plan, "benchmark"))
    return plan


def main(mode: str, count: int) -> None:
    registry = Registry()
    types = registry.resource_types()
    desired = load(count, registry).desired
    observed = (
        [found(item, number, False, replaced=True) for number, item in enumerate(desired)]
        if mode == "replace"
        else _observed(desired, 100 if mode == "plan" else 0)
    )
    make_plan("bench", desired[:200], observed[:200], NOW, types=types)  # what is imported late is imported now
    if mode == "whole":  # what was loaded first stays: its memory is not to be had a second time
        cost = measured(lambda: make_plan("bench", load(count, registry).desired, observed, NOW, types=types))
    elif mode == "replace":
        cost = measured(lambda: shown(make_plan("bench", desired, observed, NOW, types=types)))
    else:
        seconds, _ = measured(plan := lambda: make_plan("bench", desired, observed, NOW, types=types))
        cost = seconds, allocated(plan)
    sys.stdout.write(json.dumps(cost))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
