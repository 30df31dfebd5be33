"""Tables that become cards on a narrow screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Cell(NamedTuple):
    """The label of a cell's column, its HTML, and its classes."""

    label: str
    html: str
    kind: str = ""


def table(rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """A table whose heads are the labels of its cells."""
    yield f"<table><thead><tr>{''.join(f'<th>{cell.label}</th>' for cell in rows[0])}</tr></thead><tbody>"
    for row in rows:
        yield f"<tr>{''.join(map(_cell, row))}</tr>"
    yield "</tbody></table>"


def _cell(cell: Cell) -> str:
    kind = f' class="{cell.kind}"' if cell.kind else ""
    return f'<td data-label="{cell.label}"{kind}><div>{cell.html}</div></td>'
