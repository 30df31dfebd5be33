"""Markdown text: blocks of data, and documents truncated to a limit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from reconciler.core.target import Target
from reconciler.core.text import printable
from reconciler.views.phrases.plan import pointing

LIMIT = 65_536
"""The maximum length of a comment on a pull request."""

_FENCE = "(`{3,})"


def code(text: str) -> str:
    """Text on one line as inline code."""
    shown = printable(text)
    fence = "`" * (_longest_run(shown) + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def target_items(targets: Mapping[str, Target]) -> list[str]:
    """A list of each provider's target, and an empty line after it; empty if there are none."""
    items = [f"- Target {code(text)}" for text in pointing(targets)]
    return [*items, ""] if items else []


def fenced(language: str, lines: Sequence[str]) -> list[str]:
    """Printable lines as a code block that none of them can end."""
    fence = "`" * max(3, max(map(_longest_run, lines), default=0) + 1)
    return [f"{fence}{language}", *lines, fence]


def details(summary: str, lines: Iterable[str]) -> list[str]:
    """Markdown lines collapsed under an escaped summary."""
    return [f"<details><summary>{summary}</summary>", "", *lines, "", "</details>", ""]


def fitted(text: str, limit: int = LIMIT) -> str:
    """A document in at most ``limit`` characters: truncated after a line, with open blocks closed, and the rest
    counted.
    """
    if len(text) <= limit:
        return text
    lines = text.rstrip("\n").split("\n")
    room = limit - 200  # room to close the blocks, and for the count
    kept: list[str] = []
    fence, folded = "", 0
    for line in lines:
        room -= len(line) + 1
        if room - len(fence) < 0:
            break
        kept.append(line)
        found = re.match(_FENCE, line)
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
