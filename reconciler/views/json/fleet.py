"""The report of a fleet as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.app.unit import Activity, UnitResult
from reconciler.core.duration import format_instant
from reconciler.fleet.report import FleetReport
from reconciler.fleet.spec import FleetFile
from reconciler.views.json.diagnostic import diagnostic_member, diagnostics_document
from reconciler.views.json.document import FORMAT_VERSION
from reconciler.views.phrases.fleet import summary_line, unit_summary

if TYPE_CHECKING:
    from reconciler.views.json.schema import Diagnostics
    from reconciler.views.json.schema_fleet import ActivityShape, FleetOutput, FleetStackShape


def fleet_document(report: FleetReport, *, detailed: bool = False) -> FleetOutput:
    """The document of a report; ``detailed`` says whether changes affect the exit code."""
    return {
        "format_version": FORMAT_VERSION,
        "fleet": report.fleet,
        "command": report.kind,
        "started_at": format_instant(report.started_at),
        "ended_at": format_instant(report.ended_at),
        "by": report.by,
        "exit_code": int(report.exit_code(detailed=detailed)),
        "summary": summary_line(report),
        "states": {state.value: number for state, number in sorted(report.states.items())},
        "unchanged": report.unchanged,
        "stacks": [_stack(result, wave.name) for wave in report.waves for result in wave.results],
        "warnings": [diagnostic_member(warning) for warning in report.warnings],
    }


def fleet_validation_document(file: FleetFile, stacks: int) -> Diagnostics:
    """The document of a valid fleet file."""
    return {**diagnostics_document(()), "fleet": file.name, "stacks": stacks}


def _stack(result: UnitResult, wave: str) -> FleetStackShape:
    unit = result.unit
    return {
        "id": unit.id,
        "path": unit.path,
        "environment": unit.environment or None,
        "wave": wave or None,
        "stack": result.stack,
        "state": result.state,
        "exit_code": int(result.exit_code),
        "summary": unit_summary(result),
        "counts": dict(result.counts),
        "drift": result.drift,
        "changes": [
            {"address": change.address, "action": change.action, "reason": change.reason, "drift": change.drift}
            for change in result.changes
        ],
        "remaining": result.remaining,
        "repeated": result.repeated,
        "run": result.run,
        "plan_id": result.plan_id,
        "plan_file": unit.plan_file,
        "worker": result.worker or None,
        "started_at": format_instant(result.started_at) if result.started_at else None,
        "ended_at": format_instant(result.ended_at) if result.ended_at else None,
        "activities": {kind.value: _activity(found) for kind, found in result.activities.items()},
        "holder": result.holder,
        "diagnostics": [diagnostic_member(found) for found in result.diagnostics],
    }


def _activity(found: Activity) -> ActivityShape:
    return {
        "at": format_instant(found.at),
        "by": found.by,
        "state": found.state,
        "counts": dict(found.counts),
        "id": found.id,
    }
