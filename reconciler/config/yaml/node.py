"""Nodes: plain values that know where they stand."""

from collections.abc import Iterator
from typing import NamedTuple, Union

from reconciler.config.yaml.source_map import SourceMap
from reconciler.core.diagnostic import Position

Value = Union[str, int, float, bool, None, "list[Value]", "dict[str, Value]"]


class Map(dict[str, Value]):
    """A mapping read from text; ``offsets`` holds, in the order of the keys, the place of each key and of its value."""

    __slots__ = ("offsets",)
    offsets: list[int]

    def offset_of_key(self, key: str) -> int:
        return self.offsets[2 * list(self).index(key)]

    def offset_of_value(self, key: str) -> int:
        return self.offsets[2 * list(self).index(key) + 1]


class Seq(list[Value]):
    """A sequence read from text; ``offsets`` holds the place of each item."""

    __slots__ = ("offsets",)
    offsets: list[int]


class Node(NamedTuple):
    """A value with its place, and the place of the key that leads to it (its own place where there is none)."""

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
        """The value under a key of a mapping or at an index of a sequence; None where there is none."""
        value = self.value
        if isinstance(value, Map) and isinstance(key, str) and key in value:
            index = 2 * list(value).index(key)
            return Node(value[key], value.offsets[index + 1], value.offsets[index], self.source_map)
        if isinstance(value, Seq) and isinstance(key, int) and 0 <= key < len(value):
            return Node(value[key], value.offsets[key], value.offsets[key], self.source_map)
        return None

    def entries(self) -> Iterator[tuple[str, "Node"]]:
        """The keys and values of a mapping; nothing for any other value."""
        value = self.value
        if isinstance(value, Map):
            offsets = value.offsets
            for index, (key, item) in enumerate(value.items()):
                yield key, Node(item, offsets[2 * index + 1], offsets[2 * index], self.source_map)

    def items(self) -> Iterator["Node"]:
        """The items of a sequence; nothing for any other value."""
        value = self.value
        if isinstance(value, Seq):
            for item, offset in zip(value, value.offsets, strict=True):
                yield Node(item, offset, offset, self.source_map)

    def without(self, key: str) -> "Node":
        """The same mapping without one of its keys."""
        rest = Map()
        rest.offsets = []
        for name, node in self.entries():
            if name != key:
                rest[name] = node.value
                rest.offsets += (node.key_offset, node.offset)
        return self._replace(value=rest)

    def walk(self) -> Iterator["Node"]:
        """This node and everything under it."""
        yield self
        for _, node in self.entries():
            yield from node.walk()
        for node in self.items():
            yield from node.walk()


def kind(value: object) -> str:
    """What a reader calls a value of this type."""
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
