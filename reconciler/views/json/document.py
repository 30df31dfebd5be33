"""Documents: the members and the encoding of all JSON output."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar, overload

from reconciler.core.text import printable_json

FORMAT_VERSION = "1.1"
"""The minor version grows when a key is added, the major version when a key is removed or changes its meaning."""

_Source = TypeVar("_Source")
_Item = TypeVar("_Item")


class LazyArray(Sequence[_Item], Generic[_Source, _Item]):
    """An array whose items are generated on demand and not kept, since it may be larger than memory should hold."""

    def __init__(self, make: Callable[[_Source], _Item], sources: Sequence[_Source]) -> None:
        self._make, self._sources = make, sources

    @overload
    def __getitem__(self, index: int) -> _Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[_Item]: ...
    def __getitem__(self, index: int | slice) -> _Item | Sequence[_Item]:
        if isinstance(index, slice):
            return LazyArray(self._make, self._sources[index])
        return self._make(self._sources[index])

    def __len__(self) -> int:
        return len(self._sources)

    def __iter__(self) -> Iterator[_Item]:
        return map(self._make, self._sources)


def encode(value: object, *, ascii: bool = False) -> str:
    """Encode a value as indented JSON text, with terminal control characters escaped.

    ``ascii`` escapes all non-ASCII characters, for a stream whose encoding lacks them.
    """
    return "".join(encode_parts(value, ascii=ascii))


def encode_parts(
    value: object, hide: Callable[[object], object] = lambda value: value, *, ascii: bool = False
) -> Iterator[str]:
    """The same text in pieces, generated on demand; each value passes ``hide`` first."""
    for part in _parts(value, hide, "\n"):
        text = printable_json(part)
        yield re.sub("[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], text) if ascii else text
    yield "\n"


def _parts(value: object, hide: Callable[[object], object], newline: str) -> Iterator[str]:
    """The pieces of a value; ``newline`` starts each line after the first.

    Only lazy arrays, and mappings that contain one, are split; anything else is one piece.
    """
    inner = f"{newline}  "
    between = inner
    if isinstance(value, Mapping) and value:
        yield "{"
        for name, member in value.items():
            yield f"{between}{_encode(hide(str(name)))}: "
            yield from _parts(member, hide, inner)
            between = f",{inner}"
        yield f"{newline}}}"
    elif isinstance(value, LazyArray) and value:
        yield "["
        for item in value:
            yield between + _encode(hide(item)).replace("\n", inner)
            between = f",{inner}"
        yield f"{newline}]"
    else:
        yield _encode([] if isinstance(value, LazyArray) else hide(value)).replace("\n", newline)


_encode = json.JSONEncoder(indent=2, ensure_ascii=False).encode
