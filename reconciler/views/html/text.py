"""HTML text: escaped data; slots, assets, and tables that become cards on a narrow screen."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import NamedTuple

from reconciler.core.text import printable


def asset(name: str) -> str:
    """A file of this package: the style sheet or the script that a page embeds."""
    return files("reconciler.views.html").joinpath(name).read_text(encoding="utf-8")


def source_hash(content: str) -> str:
    """The source expression of a content security policy for exactly this style sheet or script."""
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


def text(value: object) -> str:
    """Any text on one line, as the content of an element or the value of a quoted attribute."""
    return escape(printable(str(value)), quote=True)


def slot(key: str) -> str:
    """An element whose content is kept separately, under a key."""
    return f'<div data-slot="{text(key)}"></div>'


def fill_slots(html: str, contents: dict[str, str]) -> str:
    """The HTML with the content of each slot inserted."""
    for key, content in contents.items():
        empty = slot(key)
        html = html.replace(empty, f"{empty.removesuffix('</div>')}{content}</div>", 1)
    return html


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
