"""The JSON documents of a stack's status and of notifications as types; see ``reconciler.views.json.schema``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from reconciler.core.action import Action
from reconciler.views.json.schema import DiagnosticShape, Instant, OriginShape, TargetShape, Version


class AlarmShape(TypedDict):
    """An alarm or a silence that is there, or should be. What only those have that are there is null for the others."""

    address: str
    type: str
    name: str
    key: str | None
    provider: str
    state: Literal["firing", "suppressed", "not firing", "in force", "not in force"]
    id: Annotated[str | None, Field(description="The service's id.")]
    severity: str | None
    starts_at: Instant | None
    expires_at: Annotated[Instant | None, Field(description="When the service may clear it; null if it never does.")]
    suppressed_by: Annotated[
        list[str] | None,
        Field(
            description="What suppresses its notifications, such as `silenced by ID`; null if the service "
            "does not report it."
        ),
    ]
    plan_id: Annotated[str | None, Field(description="The plan that pushed it, by its mark `reconciler_run`.")]
    run: Annotated[str | None, Field(description="The run of that plan; null if this ledger does not know it.")]
    by: Annotated[OriginShape | None, Field(description="Who started that run.")]
    drift: Annotated[bool, Field(description="Whether the service changed, not the configuration.")]
    action: Annotated[Action, Field(description="What `apply` would do.")]
    reason: str


class StatusHolderShape(TypedDict):
    """Who holds the lease on the stack."""

    by: OriginShape
    pid: int
    acquired_at: Instant
    expires_at: Instant


class StatusOutput(TypedDict):
    """What `status` answers."""

    format_version: Version
    stack: str
    at: Instant
    targets: Annotated[dict[str, TargetShape], Field(description="The target of each provider, by its key.")]
    declared: Annotated[int, Field(description="How many alarms are declared firing.")]
    firing: int
    suppressed: int
    silences: Annotated[int, Field(description="How many silences are in force.")]
    not_firing: Annotated[int, Field(description="How many alarms are declared firing, but are not.")]
    drift: Annotated[int, Field(description="How many addresses have drifted.")]
    alarms: list[AlarmShape]
    holder: StatusHolderShape | None
    warnings: list[DiagnosticShape]


class NotificationDetail(TypedDict):
    """One of the things a notification is about."""

    subject: Annotated[str, Field(description="An address, the name of a check or of a step.")]
    text: str


class NotificationOutput(TypedDict):
    """What `--notify` posts as JSON, and the `data` of a CloudEvent."""

    format_version: Version
    id: Annotated[str, Field(description="The same for every webhook and every attempt.")]
    trigger: Literal["drift", "apply-failed", "check-failed", "recovered", "drill-failed", "error", "done"]
    stack: Annotated[str, Field(description="Its name; the path, if its configuration could not be read.")]
    command: str
    at: Instant
    summary: str
    run: Annotated[str | None, Field(description="The run in the ledger, or of the drill.")]
    plan_id: str | None
    by: OriginShape | None
    details: list[NotificationDetail]
    more_details: Annotated[int, Field(description="How many were left out.")]
