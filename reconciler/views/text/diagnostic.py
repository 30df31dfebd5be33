"""Diagnostics as text: what is wrong, the source line with a caret, what to do next; or that a stack is valid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from reconciler.config.stack import StackConfig
from reconciler.core.desired import Kind
from reconciler.core.diagnostic import Diagnostic, Severity
from reconciler.core.text import printable
from reconciler.views.phrases.plan import count, join_words, section_size
from reconciler.views.text.line import BLANK, Line, Span, Style, line, width

_STYLES = {Severity.ERROR: Style.ERROR, Severity.WARNING: Style.WARNING}


ALIKE = 4
"""Up to this number, problems of one kind are shown one by one."""
_NAMED = 5


def diagnostic_lines(diagnostics: Sequence[Diagnostic], *, full: bool = True) -> Iterator[Line]:
    """All diagnostics, each followed by a blank line, with totals if there are several.

    Unless ``full``, of many problems of one kind the first is shown with the addresses of the others.
    """
    for group in [[one] for one in diagnostics] if full else _groups(diagnostics):
        for diagnostic in group if len(group) <= ALIKE else group[:1]:
            yield from _diagnostic(diagnostic)
            yield BLANK
        if len(group) > ALIKE:
            named = ", ".join(printable(str(one.address)) for one in group[1 : _NAMED + 1])
            more = f"{count(len(group) - 1, 'more problem')} of this kind: {named}"
            yield line(f"and {more}{', …' if len(group) > _NAMED + 1 else ''}  (--full shows all)", hang=2)
            yield BLANK
    if len(diagnostics) > 1:
        yield line((f"{totals(diagnostics)}.", Style.BOLD))


def _groups(diagnostics: Sequence[Diagnostic]) -> Iterable[list[Diagnostic]]:
    """Group problems that differ only in address and position, in the order of the first of each group."""
    groups: dict[object, list[Diagnostic]] = {}
    for number, one in enumerate(diagnostics):
        summary = one.summary.replace(one.address, "") if one.address else number
        groups.setdefault((one.severity, summary, one.hint), []).append(one)
    return groups.values()


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
    if diagnostic.address and (diagnostic.repeated or diagnostic.address not in diagnostic.summary):
        others = f" and {diagnostic.repeated:,} more" if diagnostic.repeated else ""
        address = printable(diagnostic.address)
        yield line(gutter, (" = ", Style.PLACE), "at: ", f"{address}{others}", hang=len(gutter) + 7)
    if diagnostic.hint:
        first, *rest = diagnostic.hint.split("\n")
        yield line(gutter, (" = ", Style.PLACE), Span("hint: ", Style.BOLD), printable(first), hang=len(gutter) + 9)
        for text in rest:
            yield line(" " * (len(gutter) + 9), printable(text), hang=len(gutter) + 9)


_LONGEST_SOURCE = 100


def _clip(source: str, column: int) -> tuple[str, int]:
    """The part of a source line around a column (from 1) that fits the screen, and the cells before that column."""
    start = 0 if column <= _LONGEST_SOURCE * 3 // 4 else column - 1 - _LONGEST_SOURCE // 2
    end = start + _LONGEST_SOURCE
    before = ("…" if start else "") + printable(source[start : column - 1])
    after = printable(source[column - 1 : end]) + ("…" if end < len(source) else "")
    return before + after, width(before)


def validation_lines(stack: StackConfig) -> Iterator[Line]:
    """One line: that it is valid, and what it declares."""
    kinds = Counter(desired.kind for desired in stack.desired)
    nouns = {Kind.ALARM: "alarm", Kind.SILENCE: "silence", Kind.EVENT: "event"}
    parts = [count(kinds[kind], noun) for kind, noun in nouns.items() if kinds[kind]]
    parts += [
        count(number, noun, plural)
        for number, noun, plural in (
            (len(stack.data), "query", "queries"),
            (section_size(stack, "checks"), "check", None),
            (section_size(stack, "drills"), "drill", None),
        )
        if number
    ]
    declares = join_words(parts) if parts else "nothing"
    yield line(("Valid.", Style.OK), f" The stack {stack.name} declares {declares}.")
