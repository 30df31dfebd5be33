"""ANSI output: lines coloured and, if too long, wrapped for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style as RichStyle
from rich.text import Text

from reconciler.views.text.line import Line, Span, Style, width

_NARROWEST = 24


class AnsiRenderer:
    """Renders for one terminal. A line that fits is cheap; only longer ones are wrapped by Rich."""

    def __init__(self, stream: TextIO, color: bool) -> None:
        self._console = Console(file=stream, no_color=not color)
        self._color = color

    def paint(self, line: Line) -> str:
        """The line with its colours and a newline."""
        cells = self._console.width
        if width(line.text) <= cells:
            return "".join(map(self._span, line.spans)) + "\n"
        return "".join(self._wrapped(line, max(cells, _NARROWEST)))

    def fitted(self, painted: str) -> str:
        """Rendered lines, limited to the terminal's height; the last one says how many are left out."""
        rows, room = painted.splitlines(), self._console.height - 1
        if len(rows) <= room:
            return painted
        kept = rows[: max(room - 1, 0)]
        return "".join(f"{row}\n" for row in [*kept, f"… {len(rows) - len(kept):,} more lines"])

    def _span(self, span: Span) -> str:
        return span.text if not self._color or span.style is Style.PLAIN else _render(span.text, span.style)

    def _wrapped(self, line: Line, cells: int) -> Iterator[str]:
        hang = min(line.hang, cells // 2)
        whole = Text.assemble(*((span.text, span.style.value) for span in line.spans))
        first, rest = whole.divide([hang]) if hang else (Text(), whole)
        indent = "".join(map(self._span, _spans(first)))
        for part in rest.wrap(self._console, cells - hang, tab_size=1):
            part.rstrip()
            yield indent + "".join(map(self._span, _spans(part))) + "\n"
            indent = " " * hang


_PAINT: dict[Style, RichStyle] = {style: RichStyle.parse(style.value) for style in Style}


def _render(text: str, style: Style) -> str:
    return _PAINT[style].render(text, color_system=ColorSystem.STANDARD)


def _spans(text: Text) -> Iterator[Span]:
    """The pieces of a Rich text without overlapping spans, in order, including unstyled gaps."""
    end = 0
    for span in sorted(text.spans):
        yield Span(text.plain[end : span.start])
        yield Span(text.plain[span.start : span.end], Style(str(span.style)))
        end = span.end
    yield Span(text.plain[end:])
