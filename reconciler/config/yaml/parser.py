"""The parser: events and tokens of ruamel.yaml's C parser, the one place that names its private module.

``_ruamel_yaml`` is what ``ruamel.yaml.clib`` installs. Going through ``ruamel.yaml`` instead would build its own nodes,
which take three times as long. pyproject.toml bounds the versions of both, and a test uses what is named here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from _ruamel_yaml import CParser  # type: ignore[import-not-found]  # a C module without type information
from ruamel.yaml.tokens import ScalarToken


class Stream(Protocol):
    """A text that is read in pieces."""

    def read(self, size: int) -> bytes: ...


class Token(NamedTuple):
    """One token: the name of its class, where it begins and ends (characters), the column it begins in (from 0).

    ``style`` is that of a scalar (``'``, ``"``, ``|``, ``>``, "" for a plain one), None for any other token.
    """

    kind: str
    start: int
    end: int
    column: int
    style: str | None


def events(data: bytes) -> Callable[[], Any]:
    """A function that returns the next event of a text (classes of ``ruamel.yaml.events``); raises YAMLError."""
    read: Callable[[], Any] = CParser(data).get_event
    return read


def tokens(data: bytes | Stream) -> Iterator[Token]:
    """Every token of a text except the stream's own; raises YAMLError."""
    scan = CParser(data).get_token
    scan()
    while (token := scan()) is not None:
        kind = type(token).__name__.removesuffix("Token")
        if kind == "StreamEnd":
            return
        style = (token.style or "") if isinstance(token, ScalarToken) else None
        yield Token(kind, token.start_mark.index, token.end_mark.index, token.start_mark.column, style)
