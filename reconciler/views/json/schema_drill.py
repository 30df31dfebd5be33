"""The JSON documents of drill runs as types; see ``reconciler.views.json.schema``."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from reconciler.drill.record import DrillStatus, StepState
from reconciler.drill.spec import StepAction
from reconciler.views.json.schema import Milliseconds, Version
from reconciler.views.json.schema_lists import DurationMs
from reconciler.views.phrases.drill import OverallStatus


class StepRecordShape(TypedDict):
    """One step of the timeline: when it was planned, when it was due as things had gone, when it ran."""

    name: str
    action: StepAction
    about: Annotated[str, Field(description="Its targets, checks or text.")]
    planned: Annotated[int, Field(description="Milliseconds from the start of the timeline.")]
    due_at: Milliseconds | None
    started_at: Milliseconds | None
    ended_at: Milliseconds | None
    state: StepState
    outcome: str
    slip: Annotated[DurationMs | None, Field(description="How long after it was due it started.")]


class EmissionShape(TypedDict):
    """An alarm that was raised, or an event that was recorded."""

    address: Annotated[str, Field(description="As written.")]
    mark: Annotated[str, Field(description="The address in its marks.")]
    name: str
    severity: str | None
    is_event: bool
    step: str
    keys: Annotated[list[str], Field(description="The idempotency keys of its pushes.")]
    sent_at: Milliseconds
    until: Annotated[Milliseconds | None, Field(description="The latest time at which the service ends it by itself.")]
    trouble: Annotated[str | None, Field(description="Why a push is not complete.")]
    unsent: Annotated[bool, Field(description="Whether it certainly did not reach the service.")]
    id: str | None
    seen_at: Milliseconds | None
    notified_at: Milliseconds | None
    notified: Annotated[str | None, Field(description="The notification that the service sent.")]
    delivered_at: Milliseconds | None
    delivered: Annotated[str | None, Field(description="The receiver that its notification arrived at.")]
    ended_at: Milliseconds | None
    gone_at: Annotated[Milliseconds | None, Field(description="When queries no longer returned it.")]
    ended_by: str | None
    clear_keys: Annotated[list[str], Field(description="The idempotency keys of its clears.")]
    resolved_at: Milliseconds | None
    resolved: Annotated[str | None, Field(description="The receiver that the notification of its end arrived at.")]
    visible_after: Annotated[DurationMs | None, Field(description="From the push until a query returned it.")]
    notified_after: Annotated[DurationMs | None, Field(description="From the push until the service notified.")]
    delivered_after: Annotated[DurationMs | None, Field(description="From the push until it arrived at a receiver.")]
    gone_after: Annotated[DurationMs | None, Field(description="From its end until queries no longer returned it.")]
    resolved_after: Annotated[DurationMs | None, Field(description="From its end until that arrived at a receiver.")]


class CheckRecordShape(TypedDict):
    """How a check of the drill ended."""

    phase: Annotated[str, Field(description="`before`, `after`, or the name of a step.")]
    name: str
    verdict: str
    reason: str
    about: str
    description: str | None
    started_at: Milliseconds
    ended_at: Milliseconds
    items: Annotated[list[dict[str, Any]], Field(description="The items that were found.")]


class DeathShape(TypedDict):
    """The process of the run died, and another one resumed or aborted the run."""

    last_at: Annotated[Milliseconds, Field(description="The last instant that it recorded.")]
    found_at: Milliseconds
    who: str
    host: str


class LogEntryShape(TypedDict):
    """A line of the run's own log."""

    at: Milliseconds
    text: str


class DrillRunShape(TypedDict):
    """One run of a drill, from its record alone."""

    format_version: Version
    summary: str
    standing: OverallStatus
    run: str
    stack: str
    drill: str
    digest: Annotated[str, Field(description="A digest of the drill's definition.")]
    targets: Annotated[dict[str, str], Field(description="Where each provider pointed.")]
    description: str | None
    rehearsal: bool
    speed: Annotated[float, Field(description="How many times faster than real time it ran.")]
    who: str
    host: str
    pid: int
    pipeline: str | None
    commit: str | None
    began_at: Milliseconds
    max_duration: DurationMs
    started_at: Annotated[Milliseconds | None, Field(description="When its timeline started.")]
    cleared_at: Milliseconds | None
    ended_at: Milliseconds | None
    held: Annotated[DurationMs, Field(description="How long pauses and crashes have delayed the timeline.")]
    ending: DrillStatus
    why: str
    steps: list[StepRecordShape]
    sent: list[EmissionShape]
    checks: list[CheckRecordShape]
    left: Annotated[list[str], Field(description="The alarms that are, or may be, active after its end, with reasons.")]
    deaths: list[DeathShape]
    log: list[LogEntryShape]


class DrillReportOutput(DrillRunShape):
    """What `drill run`, `drill resume` and `drill report` answer."""


class DrillAbortOutput(TypedDict):
    """What `drill abort` answers: the runs that it ended."""

    format_version: Version
    runs: list[DrillRunShape]
