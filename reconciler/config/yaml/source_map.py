"""Places: where a value stands, as one integer over all texts of a load, turned into line and column when asked."""

from __future__ import annotations

import re
from bisect import bisect_right

from reconciler.core.diagnostic import Position

_BREAK = re.compile(r"\r\n|\n|\r")
_LONGEST_LINE = 400


class SourceMap:
    """The texts of one load. A place is the start of its text in the whole, plus the index of a character in it."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._texts: list[str] = []
        self._bases: list[int] = []
        self._starts: dict[int, list[int]] = {}
        self._end = 0

    def add(self, name: str, text: str) -> int:
        """Take a text in; the place of its first character."""
        base = self._end
        self._names.append(name)
        self._texts.append(text)
        self._bases.append(base)
        self._end = base + len(text) + 1
        return base

    def position(self, place: int) -> Position:
        """File, line and column of a place, both counted from 1."""
        number, index = self._find(place)
        starts = self._line_starts(number)
        line = bisect_right(starts, index)
        return Position(self._names[number], line, index - starts[line - 1] + 1)

    def line(self, place: int) -> str:
        """The line of text a place stands in, without its end."""
        number, index = self._find(place)
        starts = self._line_starts(number)
        line = bisect_right(starts, index)
        text = self._texts[number]
        end = starts[line] if line < len(starts) else len(text)
        return text[starts[line - 1] : end].rstrip("\r\n")[:_LONGEST_LINE]

    def find(self, piece: str, place: int, reach: int) -> int:
        """The place of a piece of text at or after a place, within ``reach`` characters; the place itself if absent."""
        number, index = self._find(place)
        found = self._texts[number].find(piece, index, index + reach)
        return place if found < 0 else self._bases[number] + found

    def text(self, place: int) -> tuple[str, int]:
        """The whole text a place is in, and the place of its first character."""
        number, _ = self._find(place)
        return self._texts[number], self._bases[number]

    def _find(self, place: int) -> tuple[int, int]:
        number = bisect_right(self._bases, place) - 1
        return number, place - self._bases[number]

    def _line_starts(self, number: int) -> list[int]:
        starts = self._starts.get(number)
        if starts is None:
            starts = [0, *(match.end() for match in _BREAK.finditer(self._texts[number]))]
            self._starts[number] = starts
        return starts
