"""Plans as text, in the style of Terraform: the changes, warnings, targets, and a summary line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.core.target import Target
from reconciler.core.text import printable
from reconciler.plan.plan import Plan
from reconciler.views.phrases.plan import pointing, summary
from reconciler.views.text.line import Line, Style, line


def plan_lines(plan: Plan, told: str | None = None, *, full: bool = True, compact: bool = False) -> Iterator[Line]:
    """The whole plan; unchanged addresses are only counted. ``told`` replaces its summary.

    Unless ``full``, similar instances of a for_each are shown as one. ``compact`` leaves out attributes.
    """
    if plan.pending:
        from reconciler.views.text.changes import changes_lines

        yield from changes_lines(plan, full=full, compact=compact)
    yield from warning_lines(plan)
    yield from target_lines(plan.targets)
    yield line((told or summary(plan), Style.BOLD))


def target_lines(targets: Mapping[str, Target]) -> Iterator[Line]:
    """Each provider's target."""
    for text in pointing(targets):
        yield line(("Target ", Style.DIM), printable(text))


def warning_lines(plan: Plan) -> Iterator[Line]:
    """The plan's warnings."""
    for warning in plan.warnings:
        from reconciler.views.text.diagnostic import diagnostic_lines

        yield from diagnostic_lines([warning])
