"""Nodes: plain values that know where they stand."""

from collections.abc import Iterator
from typing import NamedTuple, Union

from reconciler.config.yaml.source_map import SourceMap
from reconciler.core.diagnostic import Position

Value = Union[str, int, float, bool, None, "list[Value]", "dict[str, Value]"]


class Map(dict[str, Value]):
    """A mapping read from text; ``places`` holds, in the order of the keys, the place of each key and of its value."""

    __slots__ = ("places",)
    places: list[int]

    def place_of_key(self, key: str) -> int:
        return self.places[2 * list(self).index(key)]

    def place_of_value(self, key: str) -> int:
        return self.places[2 * list(self).index(key) + 1]


class Seq(list[Value]):
    """A sequence read from text; ``places`` holds the place of each item."""

    __slots__ = ("places",)
    places: list[int]


class Node(NamedTuple):
    """A value with its place, and the place of the key that leads to it (its own place where there is none)."""

    value: Value
    place: int
    key_place: int
    texts: SourceMap

    @property
    def position(self) -> Position:
        return self.texts.position(self.place)

    @property
    def key_position(self) -> Position:
        return self.texts.position(self.key_place)

    def child(self, key: str | int) -> "Node | None":
        """The value under a key of a mapping or at an index of a sequence; None where there is none."""
        value = self.value
        if isinstance(value, Map) and isinstance(key, str) and key in value:
            index = 2 * list(value).index(key)
            return Node(value[key], value.places[index + 1], value.places[index], self.texts)
        if isinstance(value, Seq) and isinstance(key, int) and 0 <= key < len(value):
            return Node(value[key], value.places[key], value.places[key], self.texts)
        return None

    def entries(self) -> Iterator[tuple[str, "Node"]]:
        """The keys and values of a mapping; nothing for any other value."""
        value = self.value
        if isinstance(value, Map):
            places = value.places
            for index, (key, item) in enumerate(value.items()):
                yield key, Node(item, places[2 * index + 1], places[2 * index], self.texts)

    def items(self) -> Iterator["Node"]:
        """The items of a sequence; nothing for any other value."""
        value = self.value
        if isinstance(value, Seq):
            for item, place in zip(value, value.places, strict=True):
                yield Node(item, place, place, self.texts)

    def without(self, key: str) -> "Node":
        """The same mapping without one of its keys."""
        rest = Map()
        rest.places = []
        for name, node in self.entries():
            if name != key:
                rest[name] = node.value
                rest.places += (node.key_place, node.place)
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
