"""Checks as JSON.

``{"format_version", "stack", "passed", "counts": {VERDICT: number}, "started_at", "ended_at", "checks": [{"name",
"verdict", "reason", "about", "description", "started_at", "ended_at", "looks", "held_after_ms", "visible_after_ms",
"gone_after_ms", "delivery", "items"}]}``; a verdict is ``passed``, ``failed``, ``unknown`` (a service could not be
asked) or ``interrupted``; instants are RFC 3339; ``items`` are those a check fails at.
"""

from __future__ import annotations

from reconciler.checks.poll import CheckStatus
from reconciler.checks.result import CheckResult, Report
from reconciler.core.duration import format_instant
from reconciler.views.json.document import document


def check_document(report: Report) -> dict[str, object]:
    """The whole report."""
    return document(
        stack=report.stack,
        passed=report.passed,
        counts={status.value: report.counts[status] for status in CheckStatus},
        started_at=format_instant(report.started_at),
        ended_at=format_instant(report.ended_at),
        checks=[_member(result) for result in report.results],
    )


def _member(result: CheckResult) -> dict[str, object]:
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
        "delivery": None
        if found.delivery is None
        else {
            "status": found.delivery.status.value,
            "delivered_after_ms": found.delivery.delivered_after,
            "resolved_after_ms": found.delivery.resolved_after,
            "times": found.delivery.times,
        },
        "items": [dict(item) for item in found.failing_items],
    }
