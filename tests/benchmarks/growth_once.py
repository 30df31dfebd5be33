"""Carry one command out for so many alarms, against a service in memory, and print what it took as JSON.

``python -m tests.benchmarks.growth_once unchanged|replaced|applied|destroyed COUNT``: the processor seconds, by how
many bytes the peak of memory grew, and that peak in all.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event

from reconciler.apply.executor import apply_plan
from reconciler.apply.options import Options
from reconciler.core.address import Address
from reconciler.core.desired import Desired
from reconciler.core.gc_tuning import gc_disabled
from reconciler.core.observed import Marks, Observed, State
from reconciler.core.operation import Operation, Verb
from reconciler.ledger.sqlite import open_ledger
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan
from reconciler.providers.protocol import Limits
from reconciler.providers.registry import Registry
from reconciler.session.workspace import SystemClock
from tests.benchmarks.plan_once import NOW, found, load, measured, memory, shown

MODES = {
    "unchanged": "plan, no changes",
    "replaced": "plan, all replaced, shown, saved",
    "applied": "apply, all created",
    "destroyed": "destroy",
}


class _Clock(SystemClock):
    def now(self) -> int:
        """The instant that plans are made for."""
        return NOW


class Service:
    """A provider whose service takes no time: what it was sent it shows at once."""

    key = "aom"
    limits = Limits(batch_size=100, parallelism=1)

    def observe(self, stack: str, desired: Sequence[Desired]) -> Iterator[Observed]:
        return iter(())

    def history(self, stack: str, addresses: Collection[Address]) -> Iterator[Observed]:
        return iter(())

    def send(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        return [None] * len(operations)

    def read_back(self, operations: Sequence[Operation]) -> Iterator[Observed]:
        for item in operations:
            if item.verb is Verb.PUSH:
                marks = Marks("bench", item.address, item.digest or "", item.key, "run")
                yield Observed("aom", item.key, marks, State.ACTIVE, {}, {}, NOW)

    def close(self) -> None: ...


def _plan(mode: str, count: int, registry: Registry) -> Plan:
    """Load, query and plan, as a command does."""
    with gc_disabled():
        desired = load(count, registry).desired
        observed = (
            []
            if mode == "applied"
            else [found(item, place, False, replaced=mode == "replaced") for place, item in enumerate(desired)]
        )
        types = registry.resource_types()
        destroy = mode == "destroyed"
        return make_plan("bench", desired, observed, NOW, types=types, providers={"aom": ""}, destroy=destroy)


def _apply(plan: Plan) -> None:
    clock = _Clock()
    with tempfile.TemporaryDirectory() as directory, closing(open_ledger(Path(directory) / "bench.db")) as ledger:
        holder = ledger.acquire("bench", "bench", os.getpid(), clock.now(), 10_000_000)
        options = Options(deadline=10_000_000)
        service = {"aom": Service()}
        result = apply_plan(plan, service, ledger, holder, clock=clock, stop=Event(), options=options)
        if result.remaining or result.unconfirmed:
            raise RuntimeError(f"{len(result.remaining)} changes were not applied: {result.cause}")


def _carry_out(mode: str, count: int, registry: Registry) -> Plan:
    plan = _plan(mode, count, registry)
    if mode == "replaced":
        shown(plan)
    elif mode != "unchanged":
        _apply(plan)
    return plan


def main(mode: str, count: int) -> None:
    registry = Registry()
    _carry_out(mode, 20, registry)  # what is imported late is imported now
    seconds, grown = measured(lambda: _carry_out(mode, count, registry))
    sys.stdout.write(json.dumps((seconds, grown, memory("VmHWM"))))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
