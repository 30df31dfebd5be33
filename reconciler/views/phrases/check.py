"""Wording: the sentences about checks that several views share."""

from __future__ import annotations

from reconciler.checks.poll import CheckStatus
from reconciler.checks.result import Report
from reconciler.views.phrases.plan import count


def status_counts(report: Report) -> str:
    """The one line that tells how all checks ended, and which could not be queried."""
    counts = report.counts
    words = {
        CheckStatus.PASSED: "passed",
        CheckStatus.FAILED: "failed",
        CheckStatus.UNKNOWN: "could not be queried",
        CheckStatus.INTERRUPTED: "interrupted",
    }
    parts = []
    for status, word in words.items():
        if counts[status]:
            names = [result.name for result in report.results if result.status is status]
            named = f" ({', '.join(names)})" if status in (CheckStatus.UNKNOWN, CheckStatus.INTERRUPTED) else ""
            parts.append(f"{counts[status]} {word}{named}")
    return f"{count(len(report.results), 'check')}: {', '.join(parts)}."
