"""Markdown text: data that stays data, and documents that fit where they are posted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from reconciler.views.printable import printable

LIMIT = 65_536
"""The most characters a comment on a pull request may have."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~@$])")


def escape(text: str) -> str:
    """Text on one line, of which no character means anything to Markdown or HTML, and which mentions nobody."""
    # As html.escape does, without its module: that has a table of all entities, 2 ms in every command with a secret.
    shown = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", shown).replace("\\@", "@\u200b")


def code(text: str) -> str:
    """Text on one line as inline code."""
    # As html.escape does, without its module: that has a table of all entities, 2 ms in every command with a secret.
    shown = printable(text)
    fence = "`" * (_longest_run(shown) + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def fenced(language: str, lines: Sequence[str]) -> list[str]:
    """Printable lines as a block of code that none of them can end."""
    fence = "`" * max(3, max(map(_longest_run, lines), default=0) + 1)
    return [f"{fence}{language}", *lines, fence]


def details(summary: str, lines: Iterable[str]) -> list[str]:
    """Markdown lines folded away under an escaped summary."""
    return [f"<details><summary>{summary}</summary>", "", *lines, "", "</details>", ""]


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
