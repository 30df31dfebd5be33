"""The changes of a plan as text: signs, addresses, reasons and differences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.text import printable
from reconciler.plan.plan import PUSH_FIRST_SIGN, Change, Plan
from reconciler.views.attribute import AttributeRow, attributes, block, block_mark, is_block, outline, value_text
from reconciler.views.phrases.plan import DONE, MEANING, ORDER, PUSH_FIRST, count
from reconciler.views.text.line import BLANK, Line, Span, Style, line, pad, width

_STYLES = {"+": Style.ADD, "-": Style.CLEAR, "~": Style.CHANGE}
_WIDEST_NAME = 40
_WIDEST_OLD = 24


def attribute_lines(rows: Sequence[AttributeRow], indent: int) -> Iterator[Line]:
    """One line per row, or several for a multi-line text."""
    names = [printable(row.path) for row in rows]
    name_column = _column(names, _WIDEST_NAME)
    olds = [value_text(row.path, row.old) for row in rows if row.sign == "~"]
    old_column = _column(olds, _WIDEST_OLD)
    hang = indent + 2 + name_column + 3
    for row, name in zip(rows, names, strict=True):
        spans = [Span(f"{' ' * indent}{row.sign} ", _STYLES[row.sign])]
        several = is_block(row.old) or is_block(row.new)
        if several:
            spans.append(Span(f"{pad(name, name_column)} = {block_mark(row)}"))
        elif row.sign == "~":
            old, new = value_text(row.path, row.old), value_text(row.path, row.new)
            spans.append(Span(f"{pad(name, name_column)} = {pad(old, old_column)}"))
            spans += Span(" -> ", Style.DIM), Span(new)
        else:
            value = value_text(row.path, row.old if row.sign == "-" else row.new)
            spans.append(Span(f"{pad(name, name_column)} = {value}"))
        if row.remark:
            style = Style.REPLACE if row.remark == "forces replace" else Style.DIM
            spans.append(Span(f"  # {printable(row.remark)}", style))
        yield Line(tuple(spans), 0 if several else hang)
        if several:
            yield from _block(row, indent + 4)


def _column(texts: Sequence[str], widest: int) -> int:
    """The width of a column: its widest text, ignoring those that are too wide."""
    return max((cells for cells in map(width, texts) if cells <= widest), default=0)


def _block(row: AttributeRow, indent: int) -> Iterator[Line]:
    for sign, text in block(row):
        style = _STYLES.get(sign, Style.PLAIN)
        shown = f"{sign} {text}".rstrip()
        yield line(" " * indent if shown else "", (shown, style), hang=indent + 2)


STYLES = {
    Action.CREATE: Style.ADD,
    Action.UPDATE: Style.CHANGE,
    Action.REPLACE: Style.REPLACE,
    Action.RENEW: Style.CHANGE,
    Action.MOVE: Style.CHANGE,
    Action.IMPORT: Style.CHANGE,
    Action.FORGET: Style.DIM,
    Action.CLEAR: Style.CLEAR,
    Action.RECORD: Style.RECORD,
    Action.NO_OP: Style.PLAIN,
}
_INDENT = 6


ALIKE = 4
"""Up to this number, similar changes are shown one by one."""
_KEYS = 5


def changes_lines(plan: Plan, *, full: bool = True, compact: bool = False) -> Iterator[Line]:
    """Every change, after a legend of the signs; unless ``full``, only the first of many similar ones, and their
    number.
    """
    yield from _legend(plan)
    yield from (BLANK,) if compact else ()
    for group in [[change] for change in plan.pending] if full else _groups(plan):
        for change in group if len(group) <= ALIKE else group[:1]:
            yield from (_head_line(change),) if compact else (BLANK, *_change_lines(change))
        if len(group) > ALIKE:
            yield more_line([change.address for change in group[1:]], _INDENT)
    yield BLANK
    drift = sum(change.drift for change in plan.pending)
    if drift:
        are = "is drift" if drift == 1 else "are drift"
        yield line(
            (f"{count(drift, 'change')} {are}", Style.WARNING), ": the service has changed, not the configuration."
        )


def more_line(addresses: Sequence[Address], indent: int) -> Line:
    """The number of further instances, and the keys of some of them."""
    keys = [f'["{printable(address.key)}"]' if address.key is not None else str(address) for address in addresses]
    named = ", ".join(keys[:_KEYS]) + (", …" if len(keys) > _KEYS else "")
    text = f"and {count(len(addresses), 'more instance')} alike: {named}  (--full shows all)"
    return line(" " * indent, (text, Style.DIM), hang=indent + 2)


def _groups(plan: Plan) -> Iterable[list[Change]]:
    """The changes in order, with instances of one for_each that change the same attributes grouped."""
    groups: dict[object, list[Change]] = {}
    for change in plan.pending:
        address, same = change.address, (change.action, change.drift, change.provider)
        groups.setdefault((address.type, address.name, same, outline(change)), []).append(change)
    return groups.values()


def _change_lines(change: Change) -> Iterator[Line]:
    """One change: its sign, address, action and reason, and its attributes."""
    yield _head_line(change)
    shown = attributes(change)
    yield from attribute_lines(shown.rows, _INDENT)
    if shown.hidden:
        yield line(" " * _INDENT, (f"({count(shown.hidden, 'unchanged attribute')} hidden)", Style.DIM))


def _head_line(change: Change) -> Line:
    style = STYLES[change.action]
    return line(
        (f"{change.sign:>3} ", style),
        (printable(str(change.address)), Style.BOLD),
        (f" will be {DONE[change.action]}", style),
        f": {printable(change.reason)}" if change.reason else "",
        ("  [drift]", Style.WARNING) if change.drift else "",
        hang=_INDENT,
    )


def _legend(plan: Plan) -> Iterator[Line]:
    yield line(f"Stack {printable(plan.stack)}. Planned changes:")
    for action in ORDER:
        if action is Action.REPLACE:
            for sign in sorted({change.sign for change in plan.pending if change.action is action}):
                yield line((f"{sign:>3} ", STYLES[action]), PUSH_FIRST if sign == PUSH_FIRST_SIGN else MEANING[action])
        elif plan.counts.get(action):
            yield line((f"{action.sign:>3} ", STYLES[action]), MEANING[action])
