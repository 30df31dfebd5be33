"""Source map: the texts of one load, with offsets into them that become lines and columns on demand."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple

from reconciler.core.diagnostic import Position

_BREAK = re.compile(r"\r\n|\n|\r")
_LONGEST_LINE = 400


class Source(NamedTuple):
    """One file, as bytes; ``name`` is what diagnostics call it (its path relative to the stack)."""

    name: str
    text: bytes


class SourceMap:
    """The texts of one load. An offset is the start of its text in the whole, plus the index of a character in it."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._texts: list[str] = []
        self._bases: list[int] = []
        self._starts: dict[int, list[int]] = {}
        self._end = 0

    def add(self, name: str, text: str) -> int:
        """Add a text; returns the offset of its first character."""
        base = self._end
        self._names.append(name)
        self._texts.append(text)
        self._bases.append(base)
        self._end = base + len(text) + 1
        return base

    def any(self, test: Callable[[str], bool]) -> bool:
        """Whether a text of the load passes a test."""
        return any(map(test, self._texts))

    def position(self, offset: int) -> Position:
        """File, line and column of an offset, both counted from 1."""
        number, index = self._find(offset)
        starts = self._line_starts(number)
        line = bisect_right(starts, index)
        return Position(self._names[number], line, index - starts[line - 1] + 1)

    def line(self, offset: int) -> str:
        """The line that holds an offset, without its end."""
        number, index = self._find(offset)
        starts = self._line_starts(number)
        line = bisect_right(starts, index)
        text = self._texts[number]
        end = starts[line] if line < len(starts) else len(text)
        return text[starts[line - 1] : end].rstrip("\r\n")[:_LONGEST_LINE]

    def find(self, piece: str, offset: int, reach: int) -> int:
        """The offset of a piece of text at or after an offset, within ``reach`` characters, or the offset itself."""
        number, index = self._find(offset)
        found = self._texts[number].find(piece, index, index + reach)
        return offset if found < 0 else self._bases[number] + found

    def text(self, offset: int) -> tuple[str, int]:
        """The whole text that holds an offset, and the offset of its first character."""
        number, _ = self._find(offset)
        return self._texts[number], self._bases[number]

    def _find(self, offset: int) -> tuple[int, int]:
        number = bisect_right(self._bases, offset) - 1
        return number, offset - self._bases[number]

    def _line_starts(self, number: int) -> list[int]:
        starts = self._starts.get(number)
        if starts is None:
            starts = [0, *(match.end() for match in _BREAK.finditer(self._texts[number]))]
            self._starts[number] = starts
        return starts
