"""Plans as Markdown: a summary line, then the changes of each provider collapsed, truncated to fit a comment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape as escape_html

from reconciler.core.action import Action
from reconciler.core.text import printable
from reconciler.plan.plan import Change, Plan
from reconciler.views.attribute import AttributeRow, Attributes, attributes, block, block_mark, is_block, value_text
from reconciler.views.markdown.diagnostic import diagnostic_items
from reconciler.views.markdown.text import LIMIT, code, details, fenced, target_items
from reconciler.views.phrases.plan import DONE, as_declared, count, due

_DIFF = {Action.CREATE: "+", Action.RECORD: "+", Action.CLEAR: "-"}
"""The line prefix that sets the colour in a ``diff`` block; other actions get ``!``."""


def plan_markdown(plan: Plan, limit: int = LIMIT, told: str | None = None, *, compact: bool = False) -> str:
    """The plan in at most ``limit`` characters; counts include what is omitted. ``told`` replaces its summary."""
    head = [f"### Plan for {code(plan.stack)}", "", f"**{told or _summary(plan)}**", ""]
    head += target_items(plan.targets)
    if plan.problems:
        head += ["This plan cannot be applied:", "", *diagnostic_items(plan.problems), ""]
    if plan.warnings:
        head += [*diagnostic_items(plan.warnings), ""]
    providers = list(dict.fromkeys(change.provider for change in plan.pending))
    groups = [[change for change in plan.pending if change.provider == provider] for provider in providers]
    room = limit - sum(len(text) + 1 for text in head) - 200 * len(groups) - 50
    whole = list(head)
    for provider, group in zip(providers, groups, strict=True):
        lines: list[str] = []
        shown = 0
        for changed in (_change(change, compact=compact) for change in group):  # generated while there is room
            size = sum(len(text) + 1 for text in changed)
            if size > room:
                break
            room -= size
            lines += changed
            shown += 1
        note = []
        if shown < len(group):
            note = ["", f"{count(len(group) - shown, 'more change')} left out: this comment cannot hold them."]
        summary = f"{escape_html(printable(provider))}: {count(len(group), 'change')}"
        whole += details(summary, [*fenced("diff", lines), *note])
    return "\n".join(whole).rstrip("\n") + "\n"


def _summary(plan: Plan) -> str:
    if not plan.pending:
        return f"No changes. {as_declared(plan)}"
    drift = sum(change.drift for change in plan.pending)
    return f"{due(plan.counts)}{f' ({drift:,} of them drift)' if drift else ''}"


def _change(change: Change, *, compact: bool) -> list[str]:
    shown = Attributes(()) if compact else attributes(change)
    drift = " [drift]" if change.drift else ""
    order = " (push, then clear)" if change.pushes_first else ""
    lines = [
        f"{_DIFF.get(change.action, '!')} {printable(str(change.address))} will be {DONE[change.action]}{order}: "
        f"{printable(change.reason)}{drift}",
        *_rows(shown.rows),
    ]
    if shown.hidden:
        lines.append(f"      ({count(shown.hidden, 'unchanged attribute')} hidden)")
    return lines if compact else [*lines, ""]


def _rows(rows: Sequence[AttributeRow]) -> Iterator[str]:
    for row in rows:
        remark = f"  # {printable(row.remark)}" if row.remark else ""
        name = f"    {row.sign} {printable(row.path)} ="
        values = [value for value in (row.old, row.new) if value is not None]
        if any(map(is_block, values)):
            yield f"{name} {block_mark(row)}{remark}"
            yield from (f"{sign}       {text}".rstrip() for sign, text in block(row))
        else:
            yield f"{name} {' -> '.join(value_text(row.path, value) for value in values)}{remark}"
