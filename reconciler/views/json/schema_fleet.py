"""The JSON document of a fleet's report as types; see ``reconciler.views.json.schema``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from reconciler.app.unit import UnitKind, UnitState
from reconciler.core.action import Action
from reconciler.views.json.schema import DiagnosticShape, Instant, Version


class FleetChangeShape(TypedDict):
    """One change of a stack, in a few words; its saved plan has the whole."""

    address: str
    action: Action
    reason: str
    drift: Annotated[bool, Field(description="Whether the service changed, not the configuration.")]


class ActivityShape(TypedDict):
    """What was last done with a stack."""

    at: Instant
    by: str
    state: UnitState
    counts: dict[str, int]
    id: Annotated[str | None, Field(description="The plan, or the run.")]


class FleetStackShape(TypedDict):
    """How one stack in one environment ended."""

    id: Annotated[str, Field(description="PATH, or PATH@ENVIRONMENT.")]
    path: str
    environment: Annotated[str | None, Field(description="Null in a fleet without environments.")]
    wave: str | None
    stack: Annotated[str | None, Field(description="Its name; null if its configuration could not be read.")]
    state: UnitState
    exit_code: Annotated[int, Field(description="The exit code of the command for this stack alone.")]
    summary: str
    counts: Annotated[
        dict[str, int],
        Field(description="Changes by action, or checks by status; operations by verb if `repeated`."),
    ]
    drift: Annotated[int, Field(description="How many of the changes are drift.")]
    changes: Annotated[list[FleetChangeShape], Field(description="The first changes; `counts` has all.")]
    remaining: Annotated[int, Field(description="How many changes an apply did not make.")]
    repeated: Annotated[bool, Field(description="Whether an earlier run of the same plan or fleet did the work.")]
    run: str | None
    plan_id: str | None
    plan_file: Annotated[str | None, Field(description="Where the plan is saved.")]
    worker: Annotated[str | None, Field(description="The worker that ran it.")]
    started_at: Annotated[Instant | None, Field(description="Null if it was not started.")]
    ended_at: Instant | None
    activities: Annotated[
        dict[str, ActivityShape], Field(description="For `fleet status`: the last activity of each kind.")
    ]
    holder: Annotated[str | None, Field(description="For `fleet status`: who holds the stack's lease.")]
    diagnostics: list[DiagnosticShape]


class FleetOutput(TypedDict):
    """What `fleet plan`, `apply`, `check`, `drift` and `status` answer."""

    format_version: Version
    fleet: str
    command: UnitKind
    started_at: Instant
    ended_at: Instant
    by: str
    exit_code: Annotated[int, Field(description="The worst of all.")]
    summary: str
    states: Annotated[dict[str, int], Field(description="How many stacks ended in each state.")]
    unchanged: Annotated[int, Field(description="How many stacks --changed-since skipped.")]
    stacks: list[FleetStackShape]
    warnings: list[DiagnosticShape]
