"""The JSON documents whose schemas are published; imported by ``reconciler schema`` alone."""

from __future__ import annotations

from reconciler.views.json.schema import ApplyOutput, CheckOutput, Diagnostics, PlanOutput, RunOutput, SettlementOutput
from reconciler.views.json.schema_fleet import FleetOutput
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
}
"""The documents by the names of their schemas."""
