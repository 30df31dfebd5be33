"""Desired: what the configuration declares, one value per address, fully expanded."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from reconciler.core.address import Address
from reconciler.core.diagnostic import Position
from reconciler.core.duration import format_duration
from reconciler.core.fields import Duration

SEVERITY_FIELDS = ("event_severity", "event_level", "severity")
"""The names of the severity field: of an alarm (AOM), of an event (CES, "level"), of an alert."""


FREE_KEYS = ("metadata", "labels")
"""Configuration fields whose keys become part of an alarm's identity."""


def severity_of(identity: Mapping[str, str]) -> str | None:
    """The severity of an object by its identity; None if it has none."""
    return next((identity[name] for name in SEVERITY_FIELDS if name in identity), None)


class Kind(StrEnum):
    """Alarms and silences are levels (active or not); events are facts (recorded once, never changed)."""

    ALARM = "alarm"
    SILENCE = "silence"
    EVENT = "event"


class Lifecycle(BaseModel):
    """Rules for what a plan may do with a resource."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    prevent_clear: bool = Field(False, description="Makes any plan that would clear or replace this alarm an error.")
    create_before_clear: bool = Field(False, description="On replace, push the new alarm before clearing the old one.")
    renew_before: Duration | None = Field(
        None, gt=0, description="Push the alarm again when it would expire within this time."
    )
    on_remove: Literal["clear", "forget"] = Field(
        "clear",
        description="What happens to the alarm when it is no longer declared: it is cleared, or left firing.",
    )
    ignore_changes: tuple[str, ...] = Field(
        (),
        description="Attributes whose differences from the service are ignored, named as in plans: "
        "`timeout`, `annotations.message`, `event_severity`.",
    )


def check_renewal(lifecycle: Lifecycle, field: str, span: int) -> None:
    """Raise ValueError if an object that ends ``span`` ms after its push, by ``field``, would always have to be
    renewed.
    """
    if lifecycle.renew_before is not None and lifecycle.renew_before >= span:
        raise ValueError(
            f"lifecycle.renew_before ({format_duration(lifecycle.renew_before)}) must be shorter than {field} "
            f"({format_duration(span)}): it would be renewed on every apply"
        )


DEFAULT_LIFECYCLE = Lifecycle.model_construct()


class Declaration(NamedTuple):
    """A declaration at an address; ``spec`` is an instance of the model of its resource type.

    ``provider`` is the key under ``providers``. ``occurrence`` is the one written; None if there is none.
    """

    address: Address
    spec: BaseModel
    provider: str
    occurrence: str | None = None
    lifecycle: Lifecycle = DEFAULT_LIFECYCLE
    position: Position | None = None


class Desired(NamedTuple):
    """The desired object at one address.

    ``identity`` is what the service identifies the object by (AOM: the metadata, without marks); changing it requires a
    replace. ``attributes`` is the rest, which can be updated in place; plain JSON values. ``digest`` covers both.
    ``depends_on`` are the addresses to be pushed before this one; one without a key means all instances of a for_each.
    ``provider`` is the key under ``providers`` of the configuration. ``occurrence`` is set for events only. ``until``
    is the instant (epoch ms) at which it is declared to end.
    """

    address: Address
    provider: str
    kind: Kind
    firing: bool
    identity: Mapping[str, str]
    attributes: Mapping[str, object]
    digest: str
    occurrence: str | None = None
    lifecycle: Lifecycle = DEFAULT_LIFECYCLE
    position: Position | None = None
    depends_on: tuple[Address, ...] = ()
    until: int | None = None


Severity = Literal["Critical", "Major", "Minor", "Info"]

SEVERITIES: tuple[Severity, ...] = ("Info", "Minor", "Major", "Critical")
"""From least to greatest."""
