"""Attributes as text: names, old and new values aligned, texts of several lines as blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.core.text import printable
from reconciler.views.attribute import Row, block, block_mark, is_block, value_text
from reconciler.views.text.line import Line, Style, line
from reconciler.views.text.width import pad, width

_STYLES = {"+": Style.ADD, "-": Style.CLEAR, "~": Style.CHANGE}
_WIDEST_NAME = 40
_WIDEST_OLD = 24


def attribute_lines(rows: Sequence[Row], indent: int) -> Iterator[Line]:
    """One line for each row, or several for a text of several lines."""
    names = [printable(row.path) for row in rows]
    name_column = _column(names, _WIDEST_NAME)
    olds = [value_text(row.path, row.old) for row in rows if row.sign == "~"]
    old_column = _column(olds, _WIDEST_OLD)
    for row, name in zip(rows, names, strict=True):
        head = (" " * indent, (f"{row.sign} ", _STYLES[row.sign]), pad(name, name_column), " = ")
        hang = indent + 2 + name_column + 3
        remark = (f"  # {printable(row.remark)}", Style.DIM)
        if row.remark == "forces replace":
            remark = (f"  # {row.remark}", Style.REPLACE)
        if is_block(row.old) or is_block(row.new):
            yield line(*head, block_mark(row), remark if row.remark else "")
            yield from _block(row, indent + 4)
            continue
        values: tuple[str | tuple[str, Style], ...]
        if row.sign == "~":
            old, new = value_text(row.path, row.old), value_text(row.path, row.new)
            values = (pad(old, old_column), (" -> ", Style.DIM), new)
        else:
            values = (value_text(row.path, row.old if row.sign == "-" else row.new),)
        yield line(*head, *values, remark if row.remark else "", hang=hang)


def _column(texts: Sequence[str], widest: int) -> int:
    """How wide to make a column: as its widest text, those left out that would push everything aside."""
    return max((cells for cells in map(width, texts) if cells <= widest), default=0)


def _block(row: Row, indent: int) -> Iterator[Line]:
    for sign, text in block(row):
        style = _STYLES.get(sign, Style.PLAIN)
        shown = f"{sign} {text}".rstrip()
        yield line(" " * indent if shown else "", (shown, style), hang=indent + 2)
