"""A valid stack as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reconciler.config.stack import Stack
from reconciler.core.desired import Kind
from reconciler.views.phrases.plan import count, listed, section_size
from reconciler.views.text.line import Line, Style, line


def validation_lines(stack: Stack) -> Iterator[Line]:
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
    declares = listed(parts) if parts else "nothing"
    yield line(("Valid.", Style.GOOD), f" The stack {stack.name} declares {declares}.")
