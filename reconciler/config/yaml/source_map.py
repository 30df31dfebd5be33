"""Source map: the texts of one load, and plain values with their offsets in them."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple, Union

from reconciler.core.diagnostic import Position

_BREAK = re.compile(r"\r\n|\n|\r")
_LONGEST_LINE = 400


class Source(NamedTuple):
    """One file, as bytes; ``name`` is what diagnostics call it (its path relative to the stack)."""

    name: str
    text: bytes


class SourceMap:
    """The texts of one load. An offset is the start of its text among all texts plus the index of a character in it."""

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
        """Whether any text of the load passes a test."""
        return any(map(test, self._texts))

    def position(self, offset: int) -> Position:
        """File, line and column of an offset, counted from 1."""
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
        """The offset of a piece of text at or after an offset, within ``reach`` characters, or else the offset
        itself.
        """
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


Value = Union[str, int, float, bool, None, "list[Value]", "dict[str, Value]"]


class Map(dict[str, Value]):
    """A mapping read from text; ``offsets`` has the offsets of each key and its value, in key order."""

    __slots__ = ("offsets",)
    offsets: list[int]

    def offset_of_key(self, key: str) -> int:
        return self.offsets[2 * list(self).index(key)]


class Seq(list[Value]):
    """A sequence read from text; ``offsets`` has the offset of each item."""

    __slots__ = ("offsets",)
    offsets: list[int]


class Node(NamedTuple):
    """A value with its offset, and the offset of its key (its own offset if it has none)."""

    value: Value
    offset: int
    key_offset: int
    source_map: SourceMap

    @property
    def position(self) -> Position:
        return self.source_map.position(self.offset)

    @property
    def key_position(self) -> Position:
        return self.source_map.position(self.key_offset)

    def child(self, key: str | int) -> "Node | None":
        """The value under a key of a mapping or at an index of a sequence; None if there is none."""
        value = self.value
        if isinstance(value, Map) and isinstance(key, str) and key in value:
            index = 2 * list(value).index(key)
            return Node(value[key], value.offsets[index + 1], value.offsets[index], self.source_map)
        if isinstance(value, Seq) and isinstance(key, int) and 0 <= key < len(value):
            return Node(value[key], value.offsets[key], value.offsets[key], self.source_map)
        return None

    def entries(self) -> "Iterator[tuple[str, Node]]":
        """The keys and values of a mapping; empty for any other value."""
        value = self.value
        if isinstance(value, Map):
            offsets = value.offsets
            for index, (key, item) in enumerate(value.items()):
                yield key, Node(item, offsets[2 * index + 1], offsets[2 * index], self.source_map)

    def items(self) -> "Iterator[Node]":
        """The items of a sequence; empty for any other value."""
        value = self.value
        if isinstance(value, Seq):
            for item, offset in zip(value, value.offsets, strict=True):
                yield Node(item, offset, offset, self.source_map)

    def without(self, key: str) -> "Node":
        """The mapping without one of its keys."""
        rest = Map()
        rest.offsets = []
        for name, node in self.entries():
            if name != key:
                rest[name] = node.value
                rest.offsets += (node.key_offset, node.offset)
        return self._replace(value=rest)

    def walk(self) -> "Iterator[Node]":
        """This node and everything under it."""
        yield self
        for _, node in self.entries():
            yield from node.walk()
        for node in self.items():
            yield from node.walk()


def kind(value: object) -> str:
    """The name of a value's type in messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, dict):
        return "a mapping"
    return "a list"
