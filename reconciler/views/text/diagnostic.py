"""Diagnostics as text: what is wrong, the line it stands on with a caret, what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.core.diagnostic import Diagnostic, Severity
from reconciler.views.phrases.plan import count
from reconciler.views.printable import printable
from reconciler.views.text.line import BLANK, Line, Span, Style, line
from reconciler.views.text.width import width

_STYLES = {Severity.ERROR: Style.ERROR, Severity.WARNING: Style.WARNING}


def diagnostic_lines(diagnostics: Sequence[Diagnostic]) -> Iterator[Line]:
    """All of them, each followed by a blank line, and how many there are where there is more than one."""
    for diagnostic in diagnostics:
        yield from _diagnostic(diagnostic)
        yield BLANK
    if len(diagnostics) > 1:
        yield line((f"{totals(diagnostics)}.", Style.BOLD))


def totals(diagnostics: Sequence[Diagnostic]) -> str:
    """``2 errors and 1 warning``."""
    errors = sum(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)
    warnings = len(diagnostics) - errors
    parts = [count(errors, "error")] if errors else []
    if warnings or not errors:
        parts.append(count(warnings, "warning"))
    return " and ".join(parts)


def _diagnostic(diagnostic: Diagnostic) -> Iterator[Line]:
    style = _STYLES[diagnostic.severity]
    head, *more = diagnostic.summary.split("\n")
    label = f"{diagnostic.severity}: "
    yield line((label, style), (printable(head), Style.BOLD), hang=len(label))
    for text in more:
        yield line(" " * len(label), printable(text), hang=len(label))
    position = diagnostic.position
    number = str(position.line) if position else ""
    gutter = " " * len(number)
    if position:
        yield line(gutter, ("--> ", Style.PLACE), printable(str(position)), hang=len(gutter) + 4)
    if position and diagnostic.source is not None:
        text, caret = _clip(diagnostic.source, position.column)
        yield line(gutter, (" |", Style.PLACE))
        yield line((f"{number} | ", Style.PLACE), text)
        yield line(gutter, (" | ", Style.PLACE), " " * caret, ("^", style))
    if diagnostic.address and (diagnostic.more or diagnostic.address not in diagnostic.summary):
        others = f" and {diagnostic.more:,} more" if diagnostic.more else ""
        address = printable(diagnostic.address)
        yield line(gutter, (" = ", Style.PLACE), "at: ", f"{address}{others}", hang=len(gutter) + 7)
    if diagnostic.hint:
        first, *rest = diagnostic.hint.split("\n")
        yield line(gutter, (" = ", Style.PLACE), Span("hint: ", Style.BOLD), printable(first), hang=len(gutter) + 9)
        for text in rest:
            yield line(" " * (len(gutter) + 9), printable(text), hang=len(gutter) + 9)


_LONGEST_SOURCE = 100


def _clip(source: str, column: int) -> tuple[str, int]:
    """The part of a source line around a column (from 1) that fits a screen, and the cells before that column."""
    start = 0 if column <= _LONGEST_SOURCE * 3 // 4 else column - 1 - _LONGEST_SOURCE // 2
    end = start + _LONGEST_SOURCE
    before = ("…" if start else "") + printable(source[start : column - 1])
    after = printable(source[column - 1 : end]) + ("…" if end < len(source) else "")
    return before + after, width(before)
