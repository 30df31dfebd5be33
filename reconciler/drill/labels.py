"""Labels: mark everything that a drill pushes as part of a drill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, create_model, model_validator

from reconciler.core.desired import DEFAULT_LIFECYCLE, Declaration, Desired, Kind
from reconciler.core.observed import Marks, Observed
from reconciler.core.resource_type import FollowsProvider, ResourceType
from reconciler.drill.spec import LabelsSpec


@dataclass(frozen=True, slots=True)
class LabelledType:
    """A resource type whose objects carry the labels of a drill, and cannot outlive it.

    The labels are added to the fields before the type's model validates them, so its limits apply to them too.
    """

    inner: ResourceType
    model: type[BaseModel]

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def kind(self) -> Kind:
        return self.inner.kind

    def desired(self, declared: Declaration) -> Desired:
        if declared.lifecycle != DEFAULT_LIFECYCLE:
            raise ValueError("a drill clears whatever it raises: it has no lifecycle")
        if declared.occurrence is not None:
            raise ValueError("a drill records its events again in each run: they cannot have an occurrence")
        if getattr(declared.spec, "event_user", None) is not None:
            raise ValueError(
                "an event of a drill cannot have an event_user: it contains the mark that identifies the run"
            )
        made = self.inner.desired(declared)
        if self.kind is Kind.ALARM and not isinstance(made.attributes.get("timeout"), int):
            raise ValueError(f"{self.name} has no timeout after which the service ends it: a drill cannot use it")
        if "starts_at" in made.attributes or "time" in made.attributes:
            raise ValueError("the timeline of a drill sets its start: remove its time")
        return made

    def push(self, desired: Desired, marks: Marks, starts_at: int) -> tuple[str, int | None]:
        return self.inner.push(desired, marks, starts_at)

    def under(self, desired: Desired, settings: BaseModel) -> Desired:
        return self.inner.under(desired, settings) if isinstance(self.inner, FollowsProvider) else desired

    def clear(self, observed: Observed, ends_at: int) -> str:
        return self.inner.clear(observed, ends_at)


def label_type(inner: ResourceType, drill: str, labels: LabelsSpec) -> ResourceType:
    """The resource type for the objects of a drill."""
    return LabelledType(inner, _model(inner.model, _adder(inner, drill, labels)))


def _model(base: type[BaseModel], add: Callable[[Any, object], object]) -> type[BaseModel]:
    before: Any = classmethod(add)  # pydantic needs the class method, its type hints the function
    validator: Any = model_validator(mode="before")(before)
    return create_model(base.__name__, __base__=base, __validators__={"add_labels": validator})


def _adder(inner: ResourceType, drill: str, labels: LabelsSpec) -> Callable[[Any, object], object]:
    known = inner.model.model_fields

    def add(_: Any, value: object) -> object:
        if not isinstance(value, dict):
            return value
        fields = dict(value)
        metadata, annotations, content = (fields.get(key) or {} for key in ("metadata", "annotations", "content"))
        if "metadata" in known and isinstance(metadata, dict):
            fields["metadata"] = {**metadata, **labels.metadata, labels.key: drill}
        if "annotations" in known and isinstance(annotations, dict):
            message = annotations.get("message") or fields.get("event_name") or "this is a drill"
            fields["annotations"] = {
                **annotations,
                labels.key: f"This is part of the drill {drill}.",
                "message": _prefixed(message, labels.prefix),
            }
        own = fields.get("labels") or {}
        if "labels" in known and isinstance(own, dict):
            fields["labels"] = {**own, **labels.metadata, labels.key: drill}
        if "content" in known and isinstance(content, str | dict):
            fields["content"] = _prefixed(content or fields.get("event_name") or "this is a drill", labels.prefix)
        return fields

    return add


def _prefixed(message: object, prefix: str) -> object:
    return prefix + message if isinstance(message, str) and not message.startswith(prefix) else message
