"""Checks as Markdown: a summary line and a table, truncated to fit a comment."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.checks.poll import CheckStatus
from reconciler.checks.result import CheckResult, Report
from reconciler.core.duration import rough_duration
from reconciler.core.text import escape_markdown as escape
from reconciler.views.markdown.text import LIMIT, code, target_items
from reconciler.views.phrases.plan import count
from reconciler.views.phrases.result import status_counts

_SIGNS = {CheckStatus.PASSED: "✅", CheckStatus.FAILED: "❌", CheckStatus.UNKNOWN: "❔", CheckStatus.INTERRUPTED: "⏹"}
_LONGEST_REASON = 1000


def check_markdown(report: Report, limit: int = LIMIT) -> str:
    """The report in at most ``limit`` characters; those that did not pass come first."""
    head = [f"### Checks of {code(report.stack)}", "", f"**{escape(status_counts(report))}**", ""]
    head += target_items(report.targets)
    lines = [*head, "| | check | looks at | took | result |", "|---|---|---|---|---|"] if report.results else head
    room = limit - sum(len(text) + 1 for text in lines) - 100
    left = 0
    for row in _rows(report):
        room -= len(row) + 1
        if room < 0:
            left += 1
        else:
            lines.append(row)
    if left:
        lines += ["", f"{count(left, 'more check')} left out: this comment cannot hold them."]
    return "\n".join(lines).rstrip("\n") + "\n"


def _rows(report: Report) -> Iterator[str]:
    for result in sorted(report.results, key=lambda result: result.status is CheckStatus.PASSED):
        yield _row(result)


def _row(result: CheckResult) -> str:
    took = rough_duration(result.ended_at - result.started_at)
    reason = result.outcome.reason
    shown = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"
    cells = (
        f"{_SIGNS[result.status]} {result.status}",
        escape(result.name),
        escape(result.about),
        took,
        escape(shown),
    )
    return f"| {' | '.join(cells)} |"
