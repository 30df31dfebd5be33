"""Diagnostics as Markdown: a list."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.core.diagnostic import Diagnostic
from reconciler.views.markdown.text import code, escape


def diagnostic_items(diagnostics: Iterable[Diagnostic]) -> list[str]:
    """One item for each: severity, place, what is wrong, what to do."""
    items = []
    for diagnostic in diagnostics:
        place = f" {code(str(diagnostic.position))}:" if diagnostic.position else ""
        hint = f" _Hint: {_one_line(diagnostic.hint)}_" if diagnostic.hint else ""
        items.append(f"- **{diagnostic.severity}**{place} {_one_line(diagnostic.summary)}{hint}")
    return items


def _one_line(text: str) -> str:
    return escape(text.replace("\n", "; "))
