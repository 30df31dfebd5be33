"""The JSON documents of `drill`, `ledger list`, `ledger prune`, `providers` and `version` as types."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from reconciler.views.json.schema import Milliseconds, RunShape, Version

DurationMs = Annotated[int, Field(description="Milliseconds.")]


class HolderShape(TypedDict):
    """Who holds a lease."""

    owner: str
    host: str
    pid: int
    acquired_at: Milliseconds
    expires_at: Milliseconds
    fence: Annotated[int, Field(description="Increases with every holder.")]
    pipeline: str | None
    commit: str | None


class RunsOutput(TypedDict):
    """What `ledger list` answers: the runs, newest first, and who holds the lease."""

    format_version: Version
    runs: list[RunShape]
    holder: HolderShape | None


class StackShape(TypedDict):
    """One stack of a shared ledger."""

    stack: str
    rows: int
    changed_at: Milliseconds | None
    holder: Annotated[HolderShape | None, Field(description="Null if no lease is held.")]


class StacksOutput(TypedDict):
    """What `ledger list URL` answers: the stacks of a shared ledger."""

    format_version: Version
    stacks: list[StackShape]


class RemovedShape(TypedDict):
    """What `ledger prune` removed, or would remove."""

    runs: int
    operations: int
    drills: Annotated[list[str], Field(description="The ids of the drill runs whose records are removed.")]


class KeptShape(TypedDict):
    """What `ledger prune` keeps."""

    runs: int
    operations: int


class PruneOutput(TypedDict):
    """What `ledger prune` answers."""

    format_version: Version
    stack: str
    before: Milliseconds
    done: Annotated[bool, Field(description="False for a dry run.")]
    removed: RemovedShape
    kept: KeptShape


class ManagedShape(TypedDict):
    """A resource type."""

    name: str
    kind: Literal["alarm", "event", "silence"]


class FieldShape(TypedDict):
    """A field of what a data source finds."""

    name: str
    description: str


class DataSourceShape(TypedDict):
    """A data source."""

    name: str
    summary: str
    fields: list[FieldShape]


class ProviderShape(TypedDict):
    """An installed provider."""

    name: str
    summary: str
    resource_types: list[ManagedShape]
    data_sources: list[DataSourceShape]


class ProvidersOutput(TypedDict):
    """What `providers` answers."""

    format_version: Version
    providers: list[ProviderShape]


class LastRunShape(TypedDict):
    """The last run of a drill."""

    run: str
    drill: str
    rehearsal: bool
    began_at: Milliseconds
    ended_at: Milliseconds | None
    ending: str
    standing: Literal["good", "bad", "odd", "running"]
    summary: str
    left: Annotated[list[str], Field(description="Alarms that are or may be active, each with the reason.")]


class ListedDrillShape(TypedDict):
    """A drill of the stack; null is what cannot be known without a query."""

    name: str
    description: str | None
    length: DurationMs | None
    steps: int | None
    resources: list[str] | None
    last_run: LastRunShape | None


class DrillsOutput(TypedDict):
    """What `drill list` answers."""

    format_version: Version
    drills: list[ListedDrillShape]


class ActiveShape(TypedDict):
    """An alarm of a drill that is active."""

    address: str
    id: str
    starts_at: Milliseconds


class DrillStatusOutput(TypedDict):
    """What `drill status` answers."""

    format_version: Version
    runs: list[LastRunShape]
    active: Annotated[dict[str, list[ActiveShape]], Field(description="The active alarms by drill.")]
    trouble: Annotated[str | None, Field(description="Why active alarms could not be queried.")]


class PreviewItemShape(TypedDict):
    """What a step would send; a clear has no payload."""

    address: str
    payload: object


class PreviewStepShape(TypedDict):
    """A step; ``offset`` counts from the beginning of the drill, null if it follows another step."""

    name: str
    action: Literal["raise", "clear", "record", "check", "pause", "note"]
    offset: DurationMs | None
    after: str | None
    checks: list[str]
    text: str
    items: list[PreviewItemShape]


class DrillPlanOutput(TypedDict):
    """What `drill plan` answers."""

    format_version: Version
    stack: str
    drill: str
    description: str | None
    marks: Annotated[str, Field(description="The owner in the marks of what it pushes.")]
    targets: Annotated[dict[str, str], Field(description="Where each provider points.")]
    max_duration: DurationMs
    before: list[str]
    after: list[str]
    steps: list[PreviewStepShape]
    problems: list[str]


class LatencyShape(TypedDict):
    """The latencies of one stage in one run."""

    count: int
    least: DurationMs
    median: DurationMs
    most: DurationMs


class RunLatenciesShape(TypedDict):
    """One run of a drill."""

    run: str
    began_at: Milliseconds
    rehearsal: bool
    latencies: dict[str, LatencyShape]


class BucketShape(TypedDict):
    """How many alarms took up to a bound; the last bucket has none."""

    up_to: DurationMs | None
    count: int


class HistoryShape(TypedDict):
    """The runs of a drill, oldest first."""

    drill: str
    runs: list[RunLatenciesShape]
    histograms: dict[str, list[BucketShape]]
    moved: Annotated[
        dict[str, int | None],
        Field(description="How much slower (ms) the median of the last run is than that of the run before."),
    ]


class DrillHistoryOutput(TypedDict):
    """What `drill report --history` answers."""

    format_version: Version
    drills: list[HistoryShape]


class ExtraShape(TypedDict):
    """An optional part of the installation."""

    installed: bool
    packages: Annotated[dict[str, str | None], Field(description="Their versions; null: not installed.")]


class VersionOutput(TypedDict):
    """What `version` answers."""

    format_version: Version
    version: str
    python: str
    platform: str
    extras: dict[str, ExtraShape]
