"""Diagnostics as Markdown: a list, or the whole report of a command that failed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler.core.diagnostic import Diagnostic
from reconciler.core.text import escape_markdown as escape
from reconciler.views.markdown.text import code


def diagnostic_items(diagnostics: Iterable[Diagnostic]) -> list[str]:
    """One item for each: severity, position, what is wrong, what to do."""
    items = []
    for diagnostic in diagnostics:
        place = f" {code(str(diagnostic.position))}:" if diagnostic.position else ""
        hint = f" _Hint: {_one_line(diagnostic.hint)}_" if diagnostic.hint else ""
        items.append(f"- **{diagnostic.severity}**{place} {_one_line(diagnostic.summary)}{hint}")
    return items


def failure_markdown(diagnostics: Sequence[Diagnostic]) -> str:
    """The report of a command that failed, in place of its result."""
    return "\n".join(["### Failed", "", *diagnostic_items(diagnostics)]) + "\n"


def _one_line(text: str) -> str:
    return escape(text.replace("\n", "; "))
