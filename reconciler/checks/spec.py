"""Checks: the models of ``checks``, and what they mean."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from reconciler.checks.expectation import Delivered, Expectation, StrictExpectation
from reconciler.config.yaml.source_map import Value
from reconciler.core.data_source import DataConfig
from reconciler.core.desired import Desired, Severity
from reconciler.core.diagnostic import Diagnostic, Position
from reconciler.core.duration import MINUTE, SECOND, format_duration
from reconciler.core.fields import Duration

Text = Annotated[str, Field(min_length=1, max_length=2048)]


class CanarySpec(StrictExpectation):
    """An alarm that is pushed, and cleared once it is visible, to prove that the alarm path works."""

    type: Literal["aom_alarm", "alertmanager_alert"] | None = Field(
        None,
        description="The resource type; by default that of the configured provider, `aom_alarm` if both types "
        "are possible.",
    )
    provider: str | None = Field(None, description="The key of the provider to use, if there are several of its type.")
    labels: dict[str, str] = Field(
        {}, description="The labels of an alert, such as those that route it; `alertname` is `reconciler_canary`."
    )
    event_name: Text = Field("reconciler_canary", description="The name of an AOM alarm, as shown to people.")
    event_severity: Severity = Field("Info", description="How severe an AOM alarm says it is.")
    resource_provider: Text = Field("reconciler", description="The cloud service an AOM alarm says it is about.")
    resource_type: Text = Field("canary", description="The type of resource an AOM alarm says it is about.")
    resource_id: Text | None = Field(
        None, description="The id of the resource an AOM alarm says it is about; by default the name of the check."
    )
    metadata: dict[str, str] = Field({}, description="More metadata of an AOM alarm, such as the keys that route it.")
    annotations: dict[str, str] = Field({}, description="More details, such as message or summary.")
    timeout: Annotated[Duration, Field(gt=0)] = Field(
        10 * MINUTE,
        description="When the service clears it by itself, in case cleanup fails; 10m by default.",
        json_schema_extra={"default": "10m"},
    )

    def fields(self, check: str, kind: str) -> dict[str, Value]:
        """The fields of the resource that it raises."""
        told = f"canary of the check {check}"
        if kind == ALERT_TYPE:
            return {
                "labels": {"alertname": "reconciler_canary", **self.labels},
                "annotations": {"summary": told, **self.annotations},
                "timeout": format_duration(self.timeout),
            }
        return {
            "event_name": self.event_name,
            "event_severity": self.event_severity,
            "resource_provider": self.resource_provider,
            "resource_type": self.resource_type,
            "resource_id": self.resource_id or check,
            "metadata": dict(self.metadata),
            "annotations": {"message": told, **self.annotations},
            "timeout": format_duration(self.timeout),
        }


ALERT_TYPE = "alertmanager_alert"
CANARY_TYPES = {"aom_alarm": "aom", ALERT_TYPE: "alertmanager"}
"""The types a canary can have, and the provider type of each: objects that can be cleared."""
_COMMON_FIELDS = frozenset({"type", "provider", "annotations", "timeout"})
CANARY_FIELDS = {
    ALERT_TYPE: _COMMON_FIELDS | {"labels"},
    "aom_alarm": frozenset(CanarySpec.model_fields) - {"labels"},
}
"""The fields that a canary of each type may have."""

RECEIVER_TYPE = "receiver"
"""The provider type that knows what was delivered."""


class CheckSpec(StrictExpectation):
    """What `reconciler check` tests: that queries find what is expected, or that a canary alarm appears and ends."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["data", "expect"]}, {"required": ["canary"], "not": {"required": ["data"]}}]
        }
    )

    description: str | None = Field(None, description="What it is for, shown beside its result.")
    data: str | None = Field(None, description="The query to evaluate: TYPE.NAME, as under `data`.")
    expect: Expectation | None = Field(
        None, description="The conditions on what the query finds; of a canary, on its delivery."
    )
    within: Duration = Field(
        0,
        description="How long to wait until it passes (for a canary, until it is visible, then until it is "
        "gone; 60s by default).",
        json_schema_extra={"default": "0s"},
    )
    hold: Duration = Field(
        0,
        alias="for",
        description="How long it must keep passing after that.",
        json_schema_extra={"default": "0s"},
    )
    canary: CanarySpec | None = Field(None, description="Push an alarm and clear it, instead of a query.")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.canary is not None:
            if self.data is not None or self.hold:
                raise ValueError("a check with a canary has no data or for")
            if self.expect is not None and self.expect.model_fields_set != {"delivered"}:
                raise ValueError("a canary can be expected to be delivered, and nothing else")
        elif self.data is None or self.expect is None:
            raise ValueError("give data and expect, or a canary")
        return self


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a stack, ready to run: a query and an expectation, or a canary."""

    name: str
    spec: CheckSpec
    query: DataConfig | None = None
    canary: Desired | None = None
    position: Position | None = None
    receiver: str | None = None
    """The key of the provider that knows what was delivered; None if no delivery is expected."""

    @property
    def within(self) -> int:
        """How long it may take (ms) until it holds."""
        if self.spec.canary is not None:
            return self.spec.within or 60 * SECOND
        return max(self.spec.within, self.delivered.within if self.delivered is not None else 0)

    @property
    def delivered(self) -> Delivered | None:
        """The notifications that are expected to arrive."""
        return None if self.spec.expect is None else self.spec.expect.delivered

    @property
    def about(self) -> str:
        """What it checks, briefly."""
        if self.canary is not None:
            return f"canary through {self.canary.provider}"
        assert self.query is not None  # noqa: S101 - narrows a type
        spans = [f"within {format_duration(self.within)}"] if self.within else []
        spans += [f"for {format_duration(self.spec.hold)}"] if self.spec.hold else []
        return " ".join([self.query.label, *spans])


@dataclass(frozen=True, slots=True)
class UnresolvedCheck:
    """A check whose expressions need a query that failed: its expectation is unknown."""

    name: str
    diagnostics: tuple[Diagnostic, ...]
