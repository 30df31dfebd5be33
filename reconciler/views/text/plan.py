"""Plans as text: what would change, what to know besides, and a summary line."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.text import printable
from reconciler.plan.plan import Plan
from reconciler.views.phrases.plan import pointing, summary
from reconciler.views.text.diagnostic import diagnostic_lines
from reconciler.views.text.line import Line, Style, line


def plan_lines(plan: Plan, told: str | None = None, *, full: bool = True) -> Iterator[Line]:
    """The whole plan; addresses that need nothing are only counted. ``told`` replaces its summary.

    Unless ``full`` the instances of a for_each that change alike are shown as one.
    """
    if plan.pending:
        from reconciler.views.text.change import changes_lines  # where nothing changes, nothing of it is needed

        yield from changes_lines(plan, full=full)
    yield from warning_lines(plan)
    for text in pointing(plan):
        yield line(("Target ", Style.DIM), printable(text))
    yield line((told or summary(plan), Style.BOLD))


def warning_lines(plan: Plan) -> Iterator[Line]:
    """What its reader should know besides."""
    for warning in plan.warnings:
        yield from diagnostic_lines([warning])
