"""Large stacks of a fleet: planned by the fleet's own process, and applied in shards by the workers of its engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from reconciler.app.cut import Cut, Ended
from reconciler.app.run_unit import Listening, run_unit
from reconciler.app.unit import ShardReport, ShardTask, Unit, UnitKind, UnitResult, UnitState
from reconciler.apply.result import ApplyStatus
from reconciler.core.duration import SECOND
from reconciler.fleet.engine import Engine, EngineLimits, Finished
from reconciler.plan.shards import SHARD_SIZE

_TAKE_OVER = 90 * SECOND
"""How long (ms) a worker waits for a shard that another worker held: longer than the lease of a worker that died."""


def run_cut(unit: Unit, engine: Engine, limits: EngineLimits, listening: Listening) -> UnitResult:
    """Plan a unit in this process, and have the engine run its shards."""
    return run_unit(unit, listening, cut=cut_of(unit, engine, limits))


def cut_of(unit: Unit, engine: Engine, limits: EngineLimits) -> Cut:
    """How to cut a unit into shards and pass them to an engine."""

    def give(tasks: Iterable[ShardTask]) -> Iterator[Ended]:
        for event in engine.run((_unit(unit, task) for task in tasks), limits._replace(batch=1)):
            task = event.result.unit.shard if isinstance(event, Finished) else None
            if isinstance(event, Finished) and task is not None:
                yield task, _report(event.result)

    return Cut(give, unit.shard_size or SHARD_SIZE)


def _report(result: UnitResult) -> ShardReport | str | None:
    """The report of a shard, or why there is none."""
    if result.shard is None:
        return result.diagnostics[0].summary.split("\n", 1)[0] if result.diagnostics else None
    timed_out = result.state is UnitState.TIMED_OUT  # the engine asked it to stop, which it reports as an interruption
    return replace(result.shard, ending=ApplyStatus.DEADLINE) if timed_out else result.shard


def _unit(unit: Unit, task: ShardTask) -> Unit:
    return replace(unit, kind=UnitKind.SHARD, plan_file=None, plan_id=None, lock_timeout=_TAKE_OVER, shard=task)
