"""Checks as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.checks.poll import CheckStatus
from reconciler.checks.result import CheckResult, DeliveryOutcome, Report
from reconciler.core.duration import format_instant
from reconciler.views.json.document import FORMAT_VERSION
from reconciler.views.json.plan import target_member

if TYPE_CHECKING:
    from reconciler.views.json.schema import CheckOutput, CheckShape, DeliveryShape


def check_document(report: Report) -> CheckOutput:
    """The document of a report."""
    return {
        "format_version": FORMAT_VERSION,
        "stack": report.stack,
        "targets": {key: target_member(target) for key, target in report.targets.items()},
        "passed": report.passed,
        "counts": {status.value: report.counts[status] for status in CheckStatus},
        "started_at": format_instant(report.started_at),
        "ended_at": format_instant(report.ended_at),
        "checks": [_check(result) for result in report.results],
    }


def _check(result: CheckResult) -> CheckShape:
    found = result.outcome
    return {
        "name": result.name,
        "verdict": found.status.value,
        "reason": found.reason,
        "about": result.about,
        "description": result.description,
        "started_at": format_instant(result.started_at),
        "ended_at": format_instant(result.ended_at),
        "looks": found.attempts,
        "held_after_ms": found.held_after,
        "visible_after_ms": found.visible_after,
        "gone_after_ms": found.gone_after,
        "delivery": _delivery(found.delivery) if found.delivery is not None else None,
        "items": [dict(item) for item in found.failing_items],
    }


def _delivery(delivery: DeliveryOutcome) -> DeliveryShape:
    return {
        "status": delivery.status.value,
        "delivered_after_ms": delivery.delivered_after,
        "resolved_after_ms": delivery.resolved_after,
        "times": delivery.times,
    }
