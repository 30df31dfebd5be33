"""Differences between two texts, line by line, as ``diff -u`` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff

from reconciler.core.text import printable
from reconciler.views.text.line import Line, Style, line

_STYLES = {"+": Style.ADD, "-": Style.CLEAR, "@": Style.PLACE}


def diff_lines(name: str, old: str, new: str) -> Iterator[Line]:
    """The differences; empty if the texts are equal."""
    found = unified_diff(old.splitlines(), new.splitlines(), f"a/{name}", f"b/{name}", lineterm="")
    for text in found:
        yield line((printable(text), _STYLES.get(text[:1], Style.PLAIN)))
