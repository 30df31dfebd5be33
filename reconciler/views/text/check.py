"""Checks as text: a table, the reasons of those that did not pass, and a summary line."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.checks.evaluate import describe_item
from reconciler.checks.poll import CheckStatus
from reconciler.checks.result import CheckResult, Report
from reconciler.core.duration import rough_duration
from reconciler.core.text import printable
from reconciler.views.phrases.result import status_counts
from reconciler.views.text.line import BLANK, Line, Style, line, pad, width
from reconciler.views.text.plan import target_lines

STYLES = {
    CheckStatus.PASSED: Style.OK,
    CheckStatus.FAILED: Style.ERROR,
    CheckStatus.UNKNOWN: Style.WARNING,
    CheckStatus.INTERRUPTED: Style.WARNING,
}
SIGNS = {CheckStatus.PASSED: "✓", CheckStatus.FAILED: "✗", CheckStatus.UNKNOWN: "?", CheckStatus.INTERRUPTED: "-"}
_SHOWN = 10


def check_lines(report: Report) -> Iterator[Line]:
    """All results, then the reasons of those that did not pass."""
    names = [printable(result.name) for result in report.results]
    abouts = [printable(result.about) for result in report.results]
    name_column = max(map(width, names), default=0) + 2
    about_column = max(map(width, abouts), default=0) + 2
    for name, about, result in zip(names, abouts, report.results, strict=True):
        took = rough_duration(result.ended_at - result.started_at)
        head = f"{SIGNS[result.status]} {result.status:<12}"
        yield line(
            (head, STYLES[result.status]),
            (pad(name, name_column), Style.BOLD),
            (pad(about, about_column), Style.DIM),
            f"{took:>6}  ",
            printable(result.outcome.reason),
            hang=len(head) + name_column,
        )
    for result in report.results:
        if result.outcome.failing_items:
            yield BLANK
            yield from _culprits(result)
    if report.results:
        yield BLANK
    yield from target_lines(report.targets)
    worst = Style.OK if report.passed else Style.ERROR if report.counts[CheckStatus.FAILED] else Style.WARNING
    yield line((status_counts(report), worst))


def _culprits(result: CheckResult) -> Iterator[Line]:
    """The alarms and events that make a check fail, with their ids."""
    yield line(
        (printable(result.name), Style.BOLD), (f"  {result.description}" if result.description else "", Style.DIM)
    )
    failing_items = result.outcome.failing_items
    for item in failing_items[:_SHOWN]:
        yield line("  ", printable(describe_item(item)), (f"  id {printable(str(item.get('id')))}", Style.DIM), hang=4)
    if len(failing_items) > _SHOWN:
        yield line(f"  and {len(failing_items) - _SHOWN} more")
