"""Wording: the sentences about checks that several views share."""

from __future__ import annotations

from reconciler.checks.poll import CheckStatus
from reconciler.checks.result import Report
from reconciler.views.phrases.plan import count


def verdicts(report: Report) -> str:
    """The one line that tells how all checks ended, and which could not be asked about."""
    counts = report.counts
    words = {
        CheckStatus.PASSED: "passed",
        CheckStatus.FAILED: "failed",
        CheckStatus.UNKNOWN: "could not be asked about",
        CheckStatus.INTERRUPTED: "interrupted",
    }
    parts = []
    for verdict, word in words.items():
        if counts[verdict]:
            names = [result.name for result in report.results if result.verdict is verdict]
            named = f" ({', '.join(names)})" if verdict in (CheckStatus.UNKNOWN, CheckStatus.INTERRUPTED) else ""
            parts.append(f"{counts[verdict]} {word}{named}")
    return f"{count(len(report.results), 'check')}: {', '.join(parts)}."
