"""A plan as a command's result, in the requested format."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.cli.terminal import Format, Terminal
from reconciler.plan.plan import Plan
from reconciler.views.text.plan import plan_lines


def show_plan(
    terminal: Terminal, plan: Plan, format: Format, told: str | None = None, *, compact: bool = False
) -> None:
    """Write a plan as a command's result; ``told`` replaces its summary, ``compact`` leaves out attributes."""

    def document() -> Mapping[str, object]:
        from reconciler.views.json.plan import plan_document

        return plan_document(plan)

    def markdown() -> str:
        from reconciler.views.markdown.plan import plan_markdown

        return plan_markdown(plan, told=told, compact=compact)

    terminal.result(
        format,
        text=lambda: plan_lines(plan, told, full=terminal.full, compact=compact),
        document=document,
        markdown=markdown,
    )
