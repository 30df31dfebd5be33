"""Scalars: what a plain text means under the core schema of YAML 1.2 (section 10.3.2)."""

from __future__ import annotations

import re
from math import isfinite

Scalar = str | int | float | bool | None


class WrittenInt(int):
    """A whole number that is not written as Python would write it; as text it is what was written (0012, 0x1F, +1)."""

    written: str

    def __str__(self) -> str:
        return self.written


class WrittenFloat(float):
    """A number that is not written as Python would write it; as text it is what was written (1.10, 72225e2)."""

    written: str

    def __str__(self) -> str:
        return self.written


FIRST = frozenset(["", *"~nNtTfF+-.0123456789"])
"""The first characters of a plain scalar that may be something else than a string; "" is the empty scalar."""

_WORDS: dict[str, Scalar] = {
    "": None,
    **dict.fromkeys(("null", "Null", "NULL", "~"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((f"{sign}{word}" for sign in ("", "+") for word in (".inf", ".Inf", ".INF")), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_LAST = frozenset("0123456789.abcdefABCDEF")
_MOST_DIGITS = 4000


def resolve(text: str) -> Scalar:
    """The value of a plain scalar: null, a boolean, a number, or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789" or text[-1] not in _LAST or len(text) > _MOST_DIGITS:
        return text
    if _INTEGER.fullmatch(text):
        is_canonical = text[0] not in "+0" and text[:2] != "-0"
        return int(text) if is_canonical or text == "0" else _written(int(text), text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if not isfinite(value):
            return text
        return value if repr(value) == text else _written(value, text)
    if _OCTAL.fullmatch(text):
        return _written(int(text[2:], 8), text)
    if _HEXADECIMAL.fullmatch(text):
        return _written(int(text[2:], 16), text)
    return text


def _written(value: int | float, text: str) -> int | float:
    made = WrittenInt(value) if isinstance(value, int) else WrittenFloat(value)
    made.written = text
    return made
