"""Previews: what each step of a drill would push, with nothing asked and nothing sent."""

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.core.resource_type import ResourceType
from reconciler.drill.drill import Drill, Resource, to_raise, to_record
from reconciler.drill.spec import StepAction
from reconciler.drill.timeline import Step
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan

RUN = "preview"
"""Stands for the id of the run, which is drawn when a drill starts."""


class Item(NamedTuple):
    """One object of a step; ``payload`` is the JSON text that is pushed, None for a clear, which needs an id."""

    resource: Resource
    payload: str | None


class Preview(NamedTuple):
    """A step with what it would send."""

    step: Step
    items: tuple[Item, ...]


def previews(drill: Drill, types: Mapping[str, ResourceType], now: int) -> list[Preview]:
    """Every step in order, as if the drill began at ``now`` (epoch ms) and nothing were late."""
    return [Preview(step, tuple(_items(drill, step, types, now))) for step in drill.timeline.steps]


def combined_plan(drill: Drill, types: Mapping[str, ResourceType], now: int) -> Plan:
    """Everything a drill would push as one plan, for the stack's guards."""
    desired = [
        to_raise(resource.desired, drill.spec.max_duration)
        if step.action is StepAction.RAISE
        else to_record(resource.desired, RUN, step.name)
        for step in drill.timeline.steps
        if step.action in (StepAction.RAISE, StepAction.RECORD)
        for resource in drill.of(step)
    ]
    unique = {one.address: one for one in desired}
    return make_plan(drill.owner, list(unique.values()), [], now, types=types)


def _items(drill: Drill, step: Step, types: Mapping[str, ResourceType], now: int) -> list[Item]:
    resources = drill.of(step)
    if step.action is StepAction.RAISE:
        left = drill.spec.max_duration - step.offset
        desired = [to_raise(resource.desired, left) for resource in resources]
    elif step.action is StepAction.RECORD:
        desired = [to_record(resource.desired, RUN, step.name) for resource in resources]
    else:
        return [Item(resource, None) for resource in resources]
    plan = make_plan(drill.owner, desired, [], now + step.offset, types=types)
    payloads = {change.address: change.operations[0].payload for change in plan.changes if change.operations}
    return [Item(resource, payloads.get(resource.desired.address)) for resource in resources]
