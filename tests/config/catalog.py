"""A small catalog: one provider with an alarm and an event, enough to show the language without a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from reconciler.core.desired import Declaration, Desired, Kind
from reconciler.core.digest import digest
from reconciler.core.duration import HOUR
from reconciler.core.fields import Duration
from reconciler.core.observed import Marks, Observed
from reconciler.core.resource_type import ResourceType


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Auth(Strict):
    token: str


class Settings(Strict):
    endpoint: str
    auth: Auth
    batch_size: int = Field(100, ge=1, le=1000)


class Siren(Strict):
    severity: Literal["Critical", "Major", "Minor", "Info"] = Field(description="How loud it is.")
    host: str = Field(max_length=20)
    labels: dict[str, str] = Field(default_factory=dict)
    volume: int = Field(5, ge=0, le=10)
    muted: bool = False
    timeout: Duration = HOUR
    notes: JsonValue = None


class Note(Strict):
    text: str


@dataclass(frozen=True)
class Type:
    name: str
    kind: Kind
    model: type[BaseModel]

    def desired(self, declared: Declaration) -> Desired:
        address, spec, provider, occurrence, lifecycle, position = declared
        fields = spec.model_dump()
        if fields.get("muted") and fields.get("volume"):
            raise ValueError("what is muted has no volume")
        content = digest([self.name, fields])
        return Desired(
            address,
            provider,
            self.kind,
            True,
            {"name": address.name},
            fields,
            content,
            occurrence if self.kind is Kind.ALARM else occurrence or content,
            lifecycle,
            position,
        )

    def push(self, desired: Desired, marks: Marks, starts_at: int) -> tuple[str, int | None]:
        raise NotImplementedError

    def clear(self, observed: Observed, ends_at: int) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class Provider:
    name: str
    settings: type[BaseModel]
    resource_types: Mapping[str, ResourceType] = field(default_factory=dict)


SIREN = Type("siren", Kind.ALARM, Siren)
NOTE = Type("note", Kind.EVENT, Note)
HORN = Provider("horn", Settings, {"siren": SIREN, "note": NOTE})
CATALOG = (HORN,)
