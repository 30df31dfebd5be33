"""The JSON documents whose schemas are published; imported by ``reconciler schema`` alone."""

from __future__ import annotations

from reconciler.views.json.schema import ApplyOutput, CheckOutput, Diagnostics, PlanOutput, RunOutput, SettlementOutput
from reconciler.views.json.schema_drill import DrillAbortOutput, DrillReportOutput
from reconciler.views.json.schema_fleet import FleetOutput
from reconciler.views.json.schema_lists import (
    DrillHistoryOutput,
    DrillPlanOutput,
    DrillsOutput,
    DrillStatusOutput,
    ProvidersOutput,
    PruneOutput,
    RunsOutput,
    StacksOutput,
    VersionOutput,
)
from reconciler.views.json.schema_status import NotificationOutput, StatusOutput

DOCUMENTS = {
    "plan-output": PlanOutput,
    "apply-output": ApplyOutput,
    "check-output": CheckOutput,
    "run-output": RunOutput,
    "status-output": StatusOutput,
    "fleet-output": FleetOutput,
    "settlement-output": SettlementOutput,
    "notification": NotificationOutput,
    "diagnostics": Diagnostics,
    "runs-output": RunsOutput,
    "stacks-output": StacksOutput,
    "prune-output": PruneOutput,
    "providers-output": ProvidersOutput,
    "version-output": VersionOutput,
    "drills-output": DrillsOutput,
    "drill-plan-output": DrillPlanOutput,
    "drill-status-output": DrillStatusOutput,
    "drill-history-output": DrillHistoryOutput,
    "drill-report-output": DrillReportOutput,
    "drill-abort-output": DrillAbortOutput,
}
"""The documents by the names of their schemas."""
