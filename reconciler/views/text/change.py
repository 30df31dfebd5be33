"""Changes as text, in Terraform's spirit: signs, addresses, reasons, and what differs."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.action import Action
from reconciler.plan.plan import Change, Plan
from reconciler.views.attribute import attributes
from reconciler.views.phrases.plan import DONE, MEANING, ORDER, count
from reconciler.views.printable import printable
from reconciler.views.text.attribute import attribute_lines
from reconciler.views.text.line import BLANK, Line, Style, line

STYLES = {
    Action.CREATE: Style.ADD,
    Action.UPDATE: Style.CHANGE,
    Action.REPLACE: Style.REPLACE,
    Action.RENEW: Style.CHANGE,
    Action.CLEAR: Style.CLEAR,
    Action.RECORD: Style.RECORD,
    Action.NO_OP: Style.PLAIN,
}
_INDENT = 6


def changes_lines(plan: Plan) -> Iterator[Line]:
    """Every change, after what their signs mean."""
    yield from _legend(plan)
    for change in plan.pending:
        yield BLANK
        yield from _change_lines(change)
    yield BLANK
    drift = sum(change.drift for change in plan.pending)
    if drift:
        are = "is drift" if drift == 1 else "are drift"
        yield line(
            (f"{count(drift, 'change')} {are}", Style.WARNING), ": the service has moved, not the configuration."
        )


def _change_lines(change: Change) -> Iterator[Line]:
    """One change: its sign, address, what will be done and why, and the attributes concerned."""
    style = STYLES[change.action]
    yield line(
        (f"{change.action.sign:>3} ", style),
        (printable(str(change.address)), Style.BOLD),
        (f" will be {DONE[change.action]}", style),
        f": {printable(change.reason)}" if change.reason else "",
        ("  [drift]", Style.WARNING) if change.drift else "",
        hang=_INDENT,
    )
    shown = attributes(change)
    yield from attribute_lines(shown.rows, _INDENT)
    if shown.hidden:
        yield line(" " * _INDENT, (f"({count(shown.hidden, 'unchanged attribute')} hidden)", Style.DIM))


def _legend(plan: Plan) -> Iterator[Line]:
    yield line(f"Stack {printable(plan.stack)}. What would be done:")
    for action in ORDER:
        if plan.counts.get(action):
            yield line((f"{action.sign:>3} ", STYLES[action]), MEANING[action])
