"""JSON documents as types: views return them, and the published schemas are generated from them.

Views import this module for type checking only, since pydantic would slow the start of every command; at run time
``reconciler schema`` alone imports it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from reconciler.core.action import Action
from reconciler.core.diagnostic import Severity
from reconciler.core.operation import Status, Verb

Instant = Annotated[str, Field(description="RFC 3339, in UTC.", json_schema_extra={"format": "date-time"})]
Milliseconds = Annotated[int, Field(description="Epoch milliseconds.")]
Version = Annotated[str, Field(pattern=r"^1\.[0-9]+$", description="The second part increases when a key is added.")]


class Place(TypedDict):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int


class DiagnosticShape(TypedDict):
    """One error or warning."""

    severity: Severity
    summary: str
    hint: str | None
    address: str | None
    more: Annotated[int, Field(description="How many more instances have the same problem.")]
    position: Place | None
    source: Annotated[str | None, Field(description="The line of text, if it cannot hold a secret.")]


class Diagnostics(TypedDict):
    """What a command answers that failed; and `validate`, which adds what the stack declares."""

    format_version: Version
    error_count: int
    warning_count: int
    diagnostics: list[DiagnosticShape]
    stack: NotRequired[str]
    resources: NotRequired[
        Annotated[dict[str, int], Field(description="How many resources of each type are declared.")]
    ]
    queries: NotRequired[Annotated[int, Field(description="How many queries are declared under data.")]]
    checks: NotRequired[int]
    drills: NotRequired[int]
    fleet: NotRequired[Annotated[str, Field(description="Of a fleet file: its name.")]]
    stacks: NotRequired[Annotated[int, Field(description="Of a fleet file: how many stacks it lists.")]]


class Counts(TypedDict("Counts", {"import": int, "no-op": int})):
    """How many changes there are of each action."""

    create: int
    update: int
    replace: int
    renew: int
    move: int
    clear: int
    forget: int
    record: int


class Known(TypedDict):
    """What is declared at an address; the fields are the service's own, times are milliseconds."""

    identity: Annotated[dict[str, str], Field(description="The fields that identify it at the service.")]
    attributes: dict[str, object]


class Seen(Known):
    """An alarm that was found at an address."""

    id: str
    starts_at: Instant
    expires_at: Instant | None


class DifferenceShape(TypedDict):
    """One attribute that differs; null where a side does not have it."""

    path: str
    old: object
    new: object
    forces_replace: bool


class ChangeShape(TypedDict):
    """An address at which something is to be done."""

    address: str
    type: str
    name: str
    key: str | None
    action: Action
    reason: str
    drift: Annotated[bool, Field(description="Whether the service changed, not the configuration.")]
    pushes_first: Annotated[bool, Field(description="A replace that pushes the new alarm before it clears the old.")]
    moved_from: Annotated[str | None, Field(description="The address that the found object had before.")]
    provider: str
    occurrence: str | None
    before: Annotated[list[Seen], Field(description="The alarms found there, newest first.")]
    after: Annotated[Known | None, Field(description="What is declared; null if nothing should be firing.")]
    differences: list[DifferenceShape]


class TargetShape(TypedDict):
    """Where a provider points."""

    type: str
    place: Annotated[str, Field(description="The region, the endpoint, or `embedded`.")]
    project: Annotated[str, Field(description="The id of the project or account; empty if the service has none.")]


class PlanMembers(TypedDict):
    """A plan."""

    stack: str
    targets: Annotated[dict[str, TargetShape], Field(description="The target of each provider, by its key.")]
    plan_id: str
    planned_at: Instant
    send_by: Annotated[Instant | None, Field(description="The last instant at which the whole plan can still be sent.")]
    counts: Counts
    changes: Annotated[Sequence[ChangeShape], Field(description="The changes that have an effect.")]
    warnings: Annotated[list[DiagnosticShape], Field(description="Warnings, which do not prevent an apply.")]


class PlanOutput(PlanMembers):
    """What `plan`, `show PLAN` and `import --adopt` answer."""

    format_version: Version
    diagnostics: Annotated[list[DiagnosticShape], Field(description="Errors, which prevent an apply.")]


class ServiceErrorShape(TypedDict):
    """The error message of a service."""

    message: str
    status: int | None
    code: str | None
    trace_id: str | None
    request: str | None


class RemainingShape(TypedDict):
    """An operation that is not done."""

    address: str
    action: Action
    verb: Verb
    status: Literal["failed", "unknown", "not started"]
    error: ServiceErrorShape | None


class OriginShape(TypedDict):
    """Who started a run."""

    user: Annotated[str, Field(description="The account; in a pipeline, the user who started it.")]
    host: str
    pipeline: Annotated[str | None, Field(description="Its URL, if the CI system provides one.")]
    commit: str | None


class OtherStackShape(TypedDict):
    """A stack of the same ledger that may have something firing."""

    stack: str
    alarms: Annotated[list[str], Field(description="The addresses of the alarms that may still be active.")]
    over_by: Annotated[str, Field(description="When the last of them expires.")]


class OtherStacksShape(TypedDict):
    """What the ledger knows of the other stacks that it holds; no service is queried for them."""

    ledger: Annotated[str, Field(description="The directory or the URL of the ledger.")]
    firing: list[OtherStackShape]
    unread: Annotated[list[str], Field(description="Stacks whose ledger cannot be read, or that exceed the limit.")]


class ApplyOutput(TypedDict):
    """What `apply` and `destroy` answer; of a plan that was applied before only what that one had to say."""

    format_version: Version
    run: Annotated[str | None, Field(description="The run's id; empty or null if there was nothing to send.")]
    complete: Annotated[bool, Field(description="Whether nothing remains.")]
    summary: str
    plan_id: NotRequired[str]
    ending: NotRequired[
        Literal["complete", "denied", "interrupted", "deadline", "lease-lost", "ledger-failed", "failed"]
    ]
    shares: NotRequired[
        Annotated[dict[str, str], Field(description="The summary of each provider, if several had changes.")]
    ]
    started_at: NotRequired[Instant]
    ended_at: NotRequired[Instant]
    by: NotRequired[Annotated[OriginShape | None, Field(description="Null if there was nothing to send.")]]
    cause: NotRequired[ServiceErrorShape | None]
    remaining: NotRequired[Sequence[RemainingShape]]
    unconfirmed: NotRequired[Annotated[list[str], Field(description="Addresses that did not become visible in time.")]]
    undecided: NotRequired[
        Annotated[
            list[str],
            Field(description="Alarms that are or may be firing twice, since they were pushed again."),
        ]
    ]
    continue_with: NotRequired[str | None]
    plan: NotRequired[PlanMembers]
    other_stacks: NotRequired[Annotated[OtherStacksShape, Field(description="Of `destroy`.")]]


class DeliveryShape(TypedDict):
    """What became of a canary's notifications; durations are milliseconds, null if it did not arrive."""

    status: Literal["delivered", "late", "missing", "doubled", "not provable"]
    delivered_after_ms: int | None
    resolved_after_ms: int | None
    times: int


class CheckShape(TypedDict):
    """How one check ended; durations are milliseconds."""

    name: str
    verdict: Literal["passed", "failed", "unknown", "interrupted"]
    reason: str
    about: str
    description: str | None
    started_at: Instant
    ended_at: Instant
    looks: int
    held_after_ms: int | None
    visible_after_ms: int | None
    gone_after_ms: int | None
    delivery: Annotated[
        DeliveryShape | None,
        Field(description="The outcome of a canary's notifications, if they are expected to arrive."),
    ]
    items: Annotated[
        list[dict[str, object]], Field(description="The failing items, with the data source's field names.")
    ]


class CheckOutput(TypedDict):
    """What `check` answers."""

    format_version: Version
    stack: str
    targets: Annotated[dict[str, TargetShape], Field(description="The target of each provider, by its key.")]
    passed: bool
    counts: dict[str, int]
    started_at: Instant
    ended_at: Instant
    checks: list[CheckShape]


class RunShape(TypedDict):
    """One run in the ledger."""

    id: str
    plan_id: str
    command: str
    started_at: Milliseconds
    ended_at: Milliseconds | None
    state: Literal["running", "done", "partial", "interrupted", "died"]
    targets: Annotated[dict[str, str], Field(description="Where each provider pointed.")]
    by: Annotated[OriginShape | None, Field(description="Null for a run of a version that did not record it.")]


class OperationShape(TypedDict):
    """One operation of a run; `payload` is the JSON text that was sent."""

    key: str
    address: str
    provider: str
    verb: Verb
    payload: str
    digest: str | None
    occurrence: str | None
    target: str | None
    run: str
    intended_at: Milliseconds
    attempts: int
    status: Annotated[Status | None, Field(description="Null: open.")]
    ended_at: Milliseconds | None
    confirmed_at: Milliseconds | None
    answer: str | None
    id: str | None


class RunOutput(TypedDict):
    """What `show RUN` and `ledger show` answer."""

    format_version: Version
    run: RunShape
    operations: list[OperationShape]


class SettledShape(TypedDict):
    """An operation that a run had left open."""

    address: str
    provider: str
    verb: Verb
    key: str
    run: str
    intended_at: Milliseconds


class SettlementOutput(TypedDict):
    """What `ledger settle` answers."""

    format_version: Version
    arrived: Annotated[list[SettledShape], Field(description="Operations that had reached the service.")]
    lost: Annotated[list[SettledShape], Field(description="Operations that never reached it.")]
    open: Annotated[list[SettledShape], Field(description="Operations whose outcome could not be queried.")]
    waiting: Annotated[list[SettledShape], Field(description="Events that may still become visible.")]
