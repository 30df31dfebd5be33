"""The record that a run starts with."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime

from reconciler.apply.lease import Owner
from reconciler.core.clock import Clock
from reconciler.core.target import Target
from reconciler.drill.drill import Drill
from reconciler.drill.record import Record, StepRecord
from reconciler.drill.rehearsal import ScaledClock
from reconciler.drill.spec import StepAction
from reconciler.drill.timeline import Step


def new_record(drill: Drill, owner: Owner, targets: Mapping[str, Target], clock: Clock) -> Record:
    """The record of a run that begins now; ``targets`` are those of the stack's providers, by key.

    Its id goes by the real clock in a rehearsal too, so that runs are in the order in which they were started.
    """
    real, speed = (clock.real, clock.speed) if isinstance(clock, ScaledClock) else (clock, 1.0)
    return Record(
        run=_run_id(drill.name, real.now()),
        stack=drill.stack,
        drill=drill.name,
        digest=drill.digest,
        targets={key: str(targets[key]) for key in drill.providers},
        description=drill.spec.description,
        rehearsal=isinstance(clock, ScaledClock),
        speed=speed,
        who=owner.name,
        host=owner.host,
        pid=owner.pid,
        pipeline=owner.pipeline,
        commit=owner.commit,
        began_at=clock.now(),
        max_duration=drill.spec.max_duration,
        steps=tuple(
            StepRecord(name=step.name, action=step.action, about=_about(step), planned=step.offset)
            for step in drill.timeline.steps
        ),
    )


def orphan_record(stack: str, drill: str, owner: Owner, targets: Mapping[str, Target], now: int) -> Record:
    """The record of a run that this machine knows by its marks alone."""
    return Record(
        run=_run_id(drill, now),
        stack=stack,
        drill=drill,
        digest="",
        targets={key: str(target) for key, target in targets.items()},
        description="A run that this machine has no record of: known by its marks alone.",
        rehearsal=False,
        speed=1.0,
        who=owner.name,
        host=owner.host,
        pid=owner.pid,
        pipeline=owner.pipeline,
        commit=owner.commit,
        began_at=now,
        max_duration=0,
    )


def _about(step: Step) -> str:
    if step.action is StepAction.CHECK:
        return ", ".join(step.checks)
    return step.text or ", ".join(map(str, step.targets))


def _run_id(drill: str, now: int) -> str:
    return f"{datetime.fromtimestamp(now / 1000, UTC):%Y%m%dT%H%M%S}-{drill}-{secrets.token_hex(2)}"
