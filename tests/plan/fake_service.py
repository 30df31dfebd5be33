"""A service small enough to reason about: it keeps what is pushed, merging repeated pushes or not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

from reconciler.core.address import Address
from reconciler.core.desired import DEFAULT_LIFECYCLE, Declaration, Desired, Lifecycle
from reconciler.core.duration import MINUTE
from reconciler.core.observed import Marks, Observed, State, UnmanagedAlarm, unmanaged_marks
from reconciler.core.operation import Operation, Verb
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan
from reconciler.providers.aom.event_fields import EventFields
from reconciler.providers.aom.resource_types import ALARM, EVENT, FIXED_START, AlarmFields

NOW = 1_800_000_000_000
TYPES = {"aom_alarm": ALARM, "aom_event": EVENT}


def alarm(
    name: str = "latency",
    key: str | None = None,
    *,
    firing: bool = True,
    severity: str = "Major",
    message: str = "slow",
    timeout: str = "30m",
    lifecycle: Lifecycle = DEFAULT_LIFECYCLE,
) -> Desired:
    fields = AlarmFields.model_validate(
        {
            "event_severity": severity,
            "resource_provider": "ecs",
            "resource_type": "vm",
            "resource_id": key or "ecs-1",
            "annotations": {"message": message},
            "timeout": timeout,
        }
    )
    address = Address("aom_alarm", name, key)
    desired = ALARM.desired(Declaration(address, fields, "aom", lifecycle=lifecycle))
    return desired._replace(firing=firing)


def event(name: str = "released", occurrence: str | None = "v1") -> Desired:
    fields = EventFields.model_validate(
        {"event_severity": "Info", "resource_provider": "ci", "resource_type": "job", "resource_id": "deploy"}
    )
    return EVENT.desired(Declaration(Address("aom_event", name), fields, "aom", occurrence=occurrence))


@dataclass
class Service:
    """Alarms and events as a service keeps them; ``merges`` says whether a repeated push refreshes the one alarm."""

    merges: bool = True
    merges_on: tuple[str, ...] | None = None
    """The metadata by which it knows a repeated push; all of them if none are named."""
    items: dict[str, dict[str, object]] = field(default_factory=dict)
    ids: Iterable[int] = field(default_factory=lambda: count(1))
    touched: set[str] = field(default_factory=set)

    def apply(self, plan: Plan) -> None:
        """Carry out every operation, in order; a conditional clear only where a second alarm stands beside."""
        for operation in plan.operations:
            if operation.is_recorded:
                continue
            if not operation.only_if_duplicate or self._doubled(operation):
                self.send(operation)

    def send(self, operation: Operation) -> None:
        item = json.loads(operation.payload)
        if operation.verb is Verb.CLEAR:
            self.touched.add(item["id"])
            self.items[item["id"]]["ends_at"] = item["ends_at"]
            return
        same = [
            id_
            for id_, other in self.items.items()
            if self._known(other) == self._known(item) and other["ends_at"] == 0 and self.merges
        ]
        self.items[same[0] if same else str(next(self.ids))] = {**item, "ends_at": 0}

    def observe(self, *, active: bool = True) -> list[Observed]:
        """Everything the service shows, marked or not, in the shape a provider would give it."""
        return [
            found
            for id_, item in self.items.items()
            if (found := parse(id_, item)) is not None and (found.ended_at is None) == active
        ]

    def unmanaged(self) -> list[UnmanagedAlarm]:
        """The active alarms that carry no marks."""
        return [
            UnmanagedAlarm({}, bare(id_, item))
            for id_, item in self.items.items()
            if "reconciler_stack" not in item["metadata"] and not item["ends_at"]
        ]

    def fire(self, desired: Desired, at: int = NOW) -> str:
        """Raise an alarm as anything but this project would; its id."""
        push = next(plan_of([desired], Service(), at).operations)
        item = json.loads(push.payload)
        item["metadata"] = {key: text for key, text in item["metadata"].items() if not key.startswith("reconciler_")}
        item["annotations"] = dict(desired.attributes["annotations"])
        id_ = str(next(self.ids))
        self.items[id_] = {**item, "ends_at": 0}
        return id_

    def _known(self, item: dict[str, object]) -> object:
        metadata = item["metadata"]
        return metadata if self.merges_on is None else [metadata.get(name) for name in self.merges_on]

    def _doubled(self, operation: Operation) -> bool:
        found = {item.observed.id: "" for item in self.unmanaged()}
        found |= {item.id: item.marks.key for item in self.observe()}
        return found.get(operation.target or "") not in (None, operation.depends_on)


def bare(id_: str, item: dict[str, object]) -> Observed:
    """An alarm without marks as a provider would show it."""
    metadata = dict(item["metadata"])
    attributes = {name: item[name] for name in ("annotations", "attach_rule", "timeout")}
    marks = unmanaged_marks(Address("aom_alarm", metadata["event_name"]))
    return Observed("aom", id_, marks, State.ACTIVE, metadata, attributes, item["starts_at"])


def parse(id_: str, item: dict[str, object]) -> Observed | None:
    metadata, annotations = dict(item["metadata"]), dict(item.get("annotations") or {})
    if "reconciler_stack" not in metadata:
        return None
    is_event = metadata["event_type"] == "event"
    marks = Marks(
        metadata.pop("reconciler_stack"),
        Address.parse(metadata.pop("reconciler_address")),
        annotations.pop("reconciler_digest", ""),
        annotations.pop("reconciler_key", ""),
        annotations.pop("reconciler_run", ""),
        metadata.pop("reconciler_occurrence", None),
    )
    annotations.pop(FIXED_START, None)
    attributes: dict[str, object] = {"annotations": annotations, "attach_rule": item["attach_rule"]}
    starts_at = item["starts_at"]
    assert isinstance(starts_at, int)
    expires_at = None
    if "timeout" in item:
        attributes["timeout"] = item["timeout"]
        expires_at = starts_at + item["timeout"]
    ended_at = item["ends_at"] or None
    state = State.RECORDED if is_event else State.CLEARED if ended_at else State.ACTIVE
    return Observed(
        "aom",
        id_,
        marks,
        state,
        metadata,
        attributes,
        starts_at,
        expires_at,
        ended_at,
    )


def plan_of(desired: Iterable[Desired], service: Service, now: int = NOW, stack: str = "demo", **more: object) -> Plan:
    return make_plan(stack, list(desired), service.observe(), now, types=TYPES, **more)


def actions(plan: Plan) -> dict[str, str]:
    return {str(change.address): str(change.action) for change in plan.changes}


LATER = NOW + 5 * MINUTE
