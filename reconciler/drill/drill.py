"""The drill: one block of ``drills``, validated, ready to run or to preview."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind, severity_of
from reconciler.core.diagnostic import Position
from reconciler.core.digest import digest
from reconciler.core.duration import MINUTE
from reconciler.core.resource_type import ResourceType
from reconciler.drill.spec import DrillSpec, StepAction
from reconciler.drill.timeline import Step, Timeline
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan

GRACE = MINUTE
"""How long (ms) after ``max_duration`` the service itself ends the drill's alarms, if nothing else has."""

TIMEOUT = "timeout"


def drill_stack(stack: str, drill: str) -> str:
    """The stack name in the marks of what a drill pushes.

    No stack can have it, since a stack's name holds no slash: plans of the stack neither see nor clear it.
    """
    return f"{stack}/{drill}"


def drill_address(drill: str, written: Address) -> Address:
    """The address in the marks and in the ledger, which is shared with the stack: the drill's name before the
    object's.
    """
    return written._replace(name=f"{drill}--{written.name}")


def written_address(drill: str, address: Address) -> Address:
    """The address as the configuration writes it."""
    return address._replace(name=address.name.removeprefix(f"{drill}--"))


class DrillResource(NamedTuple):
    """One object of a drill: its address as written, and what is pushed (under ``drill_address``)."""

    address: Address
    desired: Desired

    @property
    def severity(self) -> str | None:
        identity = self.desired.identity
        return severity_of(identity)

    @property
    def event_name(self) -> str:
        return self.desired.identity.get("event_name", self.address.name)


@dataclass(frozen=True, slots=True)
class Drill:
    """A valid drill; ``stack`` is the stack it belongs to."""

    stack: str
    name: str
    spec: DrillSpec
    resources: tuple[DrillResource, ...]
    timeline: Timeline
    position: Position | None = None

    @property
    def owner(self) -> str:
        """The stack name in its marks."""
        return drill_stack(self.stack, self.name)

    @property
    def digest(self) -> str:
        """Changes when the meaning of the drill does."""
        facts = [[str(one.address), one.desired.digest] for one in self.resources]
        steps = [
            [*step[:5], list(map(str, step.targets)), list(step.checks), step.text] for step in self.timeline.steps
        ]
        return digest([self.owner, facts, steps, self.spec.max_duration])

    def at(self, addresses: Iterable[Address]) -> list[DrillResource]:
        """The resources at these addresses, as written."""
        wanted = set(addresses)
        return [resource for resource in self.resources if resource.address in wanted]

    def of(self, step: Step) -> list[DrillResource]:
        """The resources that a step refers to."""
        return self.at(step.targets)

    @property
    def providers(self) -> tuple[str, ...]:
        """The keys of the providers it pushes to."""
        return tuple(dict.fromkeys(resource.desired.provider for resource in self.resources))


def to_raise(desired: Desired, left: int) -> Desired:
    """The alarm with a timeout that ends it at most ``left`` ms from now, plus the grace period."""
    timeout = desired.attributes[TIMEOUT]
    assert isinstance(timeout, int)  # noqa: S101 - narrows a type
    return with_timeout(desired, min(timeout, left + GRACE))


def with_timeout(desired: Desired, timeout: int) -> Desired:
    """The same alarm with another timeout (ms)."""
    if timeout == desired.attributes[TIMEOUT]:
        return desired
    return desired._replace(
        attributes={**desired.attributes, TIMEOUT: timeout}, digest=digest([desired.digest, timeout])
    )


def to_record(desired: Desired, run: str, step: str) -> Desired:
    """The event, recorded once for each run and step."""
    assert desired.kind is Kind.EVENT  # noqa: S101 - no other kind comes here
    return desired._replace(occurrence=f"{run}/{step}")


RUN = "preview"
"""A placeholder for the id of the run, which is drawn when a drill starts."""


class Item(NamedTuple):
    """One object of a step; ``payload`` is the JSON text that is pushed; None for a clear, which needs the service's
    id.
    """

    resource: DrillResource
    payload: str | None


class Preview(NamedTuple):
    """A step, and what it would send."""

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
