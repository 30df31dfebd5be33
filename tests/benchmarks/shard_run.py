"""Apply so many new alarms of one stack in shards on a Dask cluster, and print as JSON what it took.

``python -m tests.benchmarks.shard_run WORKERS SIZE STACK LEDGER SCHEDULER``: the seconds from the plan to the end of
the run, and the bytes of peak memory of this process, from its start, and of the largest worker.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from threading import Event
from time import perf_counter

from distributed import Client

from reconciler.app.ledger import owner
from reconciler.app.plan import inputs
from reconciler.app.unit import Unit, UnitKind
from reconciler.apply.lease import leased
from reconciler.apply.options import NullProgress, Options
from reconciler.apply.result import ApplyStatus
from reconciler.core.gc_tuning import collect_rarely
from reconciler.fleet.cut import cut_of
from reconciler.fleet.dask import DaskEngine
from reconciler.fleet.engine import EngineLimits
from reconciler.plan.planner import make_plan
from reconciler.session.workspace import open_workspace
from tests.benchmarks.plan_once import memory


def main(workers: int, size: int, stack: str, ledger_url: str, scheduler: str) -> None:
    collect_rarely()  # as the command does
    unit = Unit(UnitKind.APPLY, stack, ledger=ledger_url, shard_size=size)
    stop = Event()
    with (
        open_workspace(Path(stack), inputs({}, (), [], ledger_url)) as workspace,
        DaskEngine(scheduler) as engine,
        leased(ledger := workspace.open_ledger(), owner(), workspace.clock, stop) as holder,
    ):
        plan = make_plan(
            workspace.stack.name,
            workspace.stack.desired,
            [],
            workspace.clock.now(),
            types=workspace.resource_types,
            providers=workspace.provider_digests,
            places=workspace.targets,
        )
        begun = perf_counter()
        result = cut_of(unit, engine, EngineLimits(workers)).apply(
            *(workspace, plan, ledger, holder),
            stop=stop,
            command="apply",
            options=Options(verify=False),
            progress=NullProgress(),
        )
        seconds = perf_counter() - begun
        peak = memory("VmHWM")
        if result.ending is not ApplyStatus.COMPLETE or result.remaining:
            raise RuntimeError(f"{len(result.remaining)} changes were not applied: {result.ending} {result.cause}")
    with Client(scheduler, set_as_default=False) as client:
        largest = max(client.run(memory, "VmHWM").values())
    sys.stdout.write(json.dumps([seconds, peak, largest]))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
