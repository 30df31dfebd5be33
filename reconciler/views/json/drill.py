"""Drills as JSON: instants are epoch milliseconds, spans milliseconds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from reconciler.app.drill import DrillPreview
from reconciler.core.observed import Observed
from reconciler.drill.drill import Drill
from reconciler.drill.latency import BOUNDS, LATENCY_STAGES, History
from reconciler.drill.record import CheckRecord, Emission, Record, StepRecord
from reconciler.views.json.document import FORMAT_VERSION
from reconciler.views.phrases.drill import headline, status_of

if TYPE_CHECKING:
    from reconciler.views.json.schema_drill import (
        CheckRecordShape,
        DrillAbortOutput,
        DrillReportOutput,
        EmissionShape,
        StepRecordShape,
    )
    from reconciler.views.json.schema_lists import (
        DrillHistoryOutput,
        DrillPlanOutput,
        DrillsOutput,
        DrillStatusOutput,
        HistoryShape,
        LastRunShape,
    )


def record_document(record: Record) -> DrillReportOutput:
    """A run."""
    return {
        "format_version": FORMAT_VERSION,
        "summary": headline(record),
        "standing": status_of(record),
        "run": record.run,
        "stack": record.stack,
        "drill": record.drill,
        "digest": record.digest,
        "targets": dict(record.targets),
        "description": record.description,
        "rehearsal": record.rehearsal,
        "speed": record.speed,
        "who": record.who,
        "host": record.host,
        "pid": record.pid,
        "pipeline": record.pipeline,
        "commit": record.commit,
        "began_at": record.began_at,
        "max_duration": record.max_duration,
        "started_at": record.started_at,
        "cleared_at": record.cleared_at,
        "ended_at": record.ended_at,
        "held": record.paused_for,
        "ending": record.ending,
        "why": record.why,
        "steps": [_step(step) for step in record.steps],
        "sent": [_emission(sent) for sent in record.emissions],
        "checks": [_check(check) for check in record.checks],
        "left": list(record.leftovers),
        "deaths": [
            {"last_at": death.last_at, "found_at": death.found_at, "who": death.who, "host": death.host}
            for death in record.deaths
        ],
        "log": [{"at": entry.at, "text": entry.text} for entry in record.log],
    }


def _step(step: StepRecord) -> StepRecordShape:
    return {
        "name": step.name,
        "action": step.action,
        "about": step.about,
        "planned": step.planned,
        "due_at": step.due_at,
        "started_at": step.started_at,
        "ended_at": step.ended_at,
        "state": step.state,
        "outcome": step.outcome,
        "slip": step.slip,
    }


def _emission(sent: Emission) -> EmissionShape:
    return {
        "address": sent.address,
        "mark": sent.marked_address,
        "name": sent.name,
        "severity": sent.severity,
        "is_event": sent.is_event,
        "step": sent.step,
        "keys": list(sent.keys),
        "sent_at": sent.sent_at,
        "until": sent.until,
        "trouble": sent.push_error,
        "unsent": sent.unsent,
        "id": sent.id,
        "seen_at": sent.seen_at,
        "notified_at": sent.notified_at,
        "notified": sent.notified,
        "delivered_at": sent.delivered_at,
        "delivered": sent.delivered,
        "ended_at": sent.ended_at,
        "gone_at": sent.gone_at,
        "ended_by": sent.ended_by,
        "clear_keys": list(sent.clear_keys),
        "resolved_at": sent.resolved_at,
        "resolved": sent.resolved,
        "visible_after": sent.visible_after,
        "notified_after": sent.notified_after,
        "delivered_after": sent.delivered_after,
        "gone_after": sent.gone_after,
        "resolved_after": sent.resolved_after,
    }


def _check(check: CheckRecord) -> CheckRecordShape:
    return {
        "phase": check.phase,
        "name": check.name,
        "verdict": check.status,
        "reason": check.reason,
        "about": check.about,
        "description": check.description,
        "started_at": check.started_at,
        "ended_at": check.ended_at,
        "items": [dict(item) for item in check.items],
    }


def records_document(records: Sequence[Record]) -> DrillAbortOutput:
    """Several runs."""
    return {"format_version": FORMAT_VERSION, "runs": [record_document(one) for one in records]}


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
