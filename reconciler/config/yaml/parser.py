"""The parser: events and tokens of ruamel.yaml's C parser; the only module that uses its private module.

``_ruamel_yaml`` is installed by ``ruamel.yaml.clib``. The public ``ruamel.yaml`` would build its own nodes, which takes
three times as long. pyproject.toml bounds the versions of both, and a test covers what is used here.
"""

import re
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any, NamedTuple, Protocol

from _ruamel_yaml import CParser  # type: ignore[import-not-found]  # a C module without type information
from ruamel.yaml.tokens import ScalarToken


class Stream(Protocol):
    """A text read in pieces."""

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


Scalar = str | int | float | bool | None


class WrittenInt(int):
    """An integer not written as Python would write it; as text it is what was written (0012, 0x1F, +1)."""

    written: str

    def __str__(self) -> str:
        return self.written


class WrittenFloat(float):
    """A number not written as Python would write it; as text it is what was written (1.10, 72225e2)."""

    written: str

    def __str__(self) -> str:
        return self.written


FIRST = frozenset(["", *"~nNtTfF+-.0123456789"])
"""The first characters of a plain scalar that may not be a string; "" is the empty scalar."""

_WORDS: dict[str, Scalar] = {
    "": None,
    **dict.fromkeys(("null", "Null", "NULL", "~"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((f"{sign}{word}" for sign in ("", "+") for word in (".inf", ".Inf", ".INF")), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_OCTAL = r"0o[0-7]+"
_HEXADECIMAL = r"0x[0-9a-fA-F]+"
_FLOAT = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
_LAST = frozenset("0123456789.abcdefABCDEF")
_MOST_DIGITS = 4000


def resolve(text: str) -> Scalar:
    """The value of a plain scalar: null, a boolean, a number, or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789" or text[-1] not in _LAST or len(text) > _MOST_DIGITS:
        return text
    digits = text[1:] if text[0] in "+-" else text
    if digits.isascii() and digits.isdecimal():
        is_canonical = text[0] not in "+0" and text[:2] != "-0"
        return int(text) if is_canonical or text == "0" else _written(int(text), text)
    if re.fullmatch(_FLOAT, text):
        value = float(text)
        if not isfinite(value):
            return text
        return value if repr(value) == text else _written(value, text)
    if re.fullmatch(_OCTAL, text):
        return _written(int(text[2:], 8), text)
    if re.fullmatch(_HEXADECIMAL, text):
        return _written(int(text[2:], 16), text)
    return text


def _written(value: int | float, text: str) -> int | float:
    made = WrittenInt(value) if isinstance(value, int) else WrittenFloat(value)
    made.written = text
    return made
