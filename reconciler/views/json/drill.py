"""Drills as JSON.

The report of a run is its record (``reconciler.drill.record``): ``{"format_version", "run", "stack", "drill", ...,
"steps", "sent", "checks", "left", "log"}`` with instants in epoch milliseconds and spans in milliseconds; beside it
``summary``, ``standing`` (``good``, ``bad``, ``odd``, ``running``), and for each of ``sent`` ``visible_after``,
``notified_after`` and ``delivered_after`` (from its push), ``gone_after`` and ``resolved_after`` (from its end), for
each of ``steps`` ``slip``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from reconciler.app.drill import DrillPreview
from reconciler.core.observed import Observed
from reconciler.drill.drill import Drill
from reconciler.drill.latency import BOUNDS, LATENCY_STAGES, History
from reconciler.drill.record import Record
from reconciler.views.json.document import FORMAT_VERSION, document
from reconciler.views.phrases.drill import headline, status_of

if TYPE_CHECKING:
    from reconciler.views.json.schema_lists import (
        DrillHistoryOutput,
        DrillPlanOutput,
        DrillsOutput,
        DrillStatusOutput,
        HistoryShape,
        LastRunShape,
    )


def record_document(record: Record) -> dict[str, object]:
    """A run."""
    members = record.model_dump(mode="json", by_alias=True)
    del members["format_version"]
    members["steps"] = [
        {**shown, "slip": step.slip} for shown, step in zip(members["steps"], record.steps, strict=True)
    ]
    members["sent"] = [
        {**shown, **{stage.key: stage.measure(sent) for stage in LATENCY_STAGES}}
        for shown, sent in zip(members["sent"], record.emissions, strict=True)
    ]
    return document(summary=headline(record), standing=status_of(record).value, **members)


def records_document(records: Sequence[Record]) -> dict[str, object]:
    """Several runs: ``{"runs": [...]}``."""
    return document(runs=[record_document(one) for one in records])


def history_document(histories: Sequence[History]) -> DrillHistoryOutput:
    """The latencies of each drill over its runs."""
    return {"format_version": FORMAT_VERSION, "drills": [_history(one) for one in histories]}


def _history(history: History) -> HistoryShape:
    stages = [stage for stage in LATENCY_STAGES if history.known(stage)]
    return {
        "drill": history.drill,
        "runs": [
            {
                "run": run.record.run,
                "began_at": run.record.began_at,
                "rehearsal": run.record.rehearsal,
                "latencies": {
                    key: {
                        "count": len(spread.values),
                        "least": spread.least,
                        "median": spread.median,
                        "most": spread.most,
                    }
                    for key, spread in run.spreads.items()
                },
            }
            for run in history.runs
        ],
        "histograms": {
            stage.key: [
                {"up_to": bound, "count": number}
                for bound, number in zip((*BOUNDS, None), history.histogram(stage), strict=True)
            ]
            for stage in stages
        },
        "moved": {stage.key: history.moved(stage) for stage in stages},
    }


def preview_document(preview: DrillPreview) -> DrillPlanOutput:
    """What a drill would do."""
    drill = preview.drill
    return {
        "format_version": FORMAT_VERSION,
        "stack": drill.stack,
        "drill": drill.name,
        "description": drill.spec.description,
        "marks": drill.owner,
        "targets": {key: str(target) for key, target in preview.targets.items()},
        "max_duration": drill.spec.max_duration,
        "before": list(drill.spec.checks_before),
        "after": list(drill.spec.checks_after),
        "steps": [
            {
                "name": each.step.name,
                "action": each.step.action.value,
                "offset": each.step.offset,
                "after": each.step.after,
                "checks": list(each.step.checks),
                "text": each.step.text,
                "items": [
                    {
                        "address": str(item.resource.address),
                        "payload": json.loads(item.payload) if item.payload else None,
                    }
                    for item in each.items
                ],
            }
            for each in preview.steps
        ],
        "problems": list(preview.problems),
    }


def list_document(drills: Sequence[tuple[str, Drill | None]], last: Mapping[str, Record]) -> DrillsOutput:
    """The drills of a stack, each with its last run."""
    return {
        "format_version": FORMAT_VERSION,
        "drills": [
            {
                "name": name,
                "description": drill.spec.description if drill is not None else None,
                "length": drill.timeline.length if drill is not None else None,
                "steps": len(drill.timeline.steps) if drill is not None else None,
                "resources": [str(one.address) for one in drill.resources] if drill is not None else None,
                "last_run": _last(last[name]) if name in last else None,
            }
            for name, drill in drills
        ],
    }


def status_document(
    records: Sequence[Record], active: Mapping[str, Sequence[Observed]], query_error: str | None
) -> DrillStatusOutput:
    """The last run of each drill, and what is active now."""
    return {
        "format_version": FORMAT_VERSION,
        "runs": [_last(record) for record in records],
        "active": {
            name: [{"address": str(one.marks.address), "id": one.id, "starts_at": one.starts_at} for one in alarms]
            for name, alarms in active.items()
        },
        "trouble": query_error,
    }


def _last(record: Record) -> LastRunShape:
    return {
        "run": record.run,
        "drill": record.drill,
        "rehearsal": record.rehearsal,
        "began_at": record.began_at,
        "ended_at": record.ended_at,
        "ending": record.ending.value,
        "standing": status_of(record).value,
        "summary": headline(record),
        "left": list(record.leftovers),
    }
