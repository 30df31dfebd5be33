"""Markdown text: data that stays data, and documents that fit where they are posted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from reconciler.core.target import Target
from reconciler.core.text import printable
from reconciler.views.phrases.plan import pointing

LIMIT = 65_536
"""The most characters a comment on a pull request may have."""

_FENCE = re.compile("(`{3,})")
_LINK = re.compile(r"\b(?:https?|ftp|mailto|www)(?=[:.])|\\#(?=[0-9])", re.IGNORECASE)
"""What Markdown makes a link of by itself: addresses, numbers of issues."""
_BREAK = "&#8203;"
"""A space of no width, as an entity: it keeps Markdown from making a link or a mention."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~@$])")


def escape(text: str) -> str:
    """Text on one line, of which no character means anything to Markdown or HTML, and which mentions nobody."""
    # As html.escape does, without its module: that has a table of all entities, 2 ms in every command with a secret.
    shown = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINK.sub(rf"\g<0>{_BREAK}", _SPECIAL.sub(r"\\\1", shown).replace("\\@", f"@{_BREAK}"))


def code(text: str) -> str:
    """Text on one line as inline code."""
    # As html.escape does, without its module: that has a table of all entities, 2 ms in every command with a secret.
    shown = printable(text)
    fence = "`" * (_longest_run(shown) + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def target_items(targets: Mapping[str, Target]) -> list[str]:
    """A list of where each provider points, and the empty line after it; nothing if there are none."""
    items = [f"- Target {code(text)}" for text in pointing(targets)]
    return [*items, ""] if items else []


def fenced(language: str, lines: Sequence[str]) -> list[str]:
    """Printable lines as a block of code that none of them can end."""
    fence = "`" * max(3, max(map(_longest_run, lines), default=0) + 1)
    return [f"{fence}{language}", *lines, fence]


def details(summary: str, lines: Iterable[str]) -> list[str]:
    """Markdown lines folded away under an escaped summary."""
    return [f"<details><summary>{summary}</summary>", "", *lines, "", "</details>", ""]


def fitted(text: str, limit: int = LIMIT) -> str:
    """A document in at most ``limit`` characters: cut after a line, with open blocks closed, and the rest counted."""
    if len(text) <= limit:
        return text
    lines = text.rstrip("\n").split("\n")
    room = limit - 200  # for what closes the blocks, and the count
    kept: list[str] = []
    fence, folded = "", 0
    for line in lines:
        room -= len(line) + 1
        if room - len(fence) < 0:
            break
        kept.append(line)
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif fence and line == fence:
            fence = ""
        elif not fence:
            folded += line.startswith("<details>") - line.startswith("</details>")
    closing = [fence] if fence else []
    closing += ["", *["</details>"] * folded] if folded else []
    left = f"{len(lines) - len(kept):,} more lines left out: no more fits here."
    cut = "\n".join([*kept, *closing, "", left]) + "\n"
    return cut if len(cut) <= limit else ""


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
