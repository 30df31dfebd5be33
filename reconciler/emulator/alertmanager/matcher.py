"""Labels and matchers: what identifies an alert, and how filters, routes, silences and inhibition rules select
alerts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Version = Literal["0.25.0", "0.28.0", "0.32.0"]
"""The releases that can be emulated: the last one common in distributions, the one that introduced UTF-8 names, and the
one that keeps annotations of silences.
"""

_OFFSET, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF
_CLASSIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


def fingerprint(labels: Mapping[str, str]) -> str:
    """FNV-1a (64 bits) over the sorted pairs, a byte 255 after each name and each value; 16 hexadecimal digits."""
    total = _OFFSET
    for name in sorted(labels):
        for byte in b"%b\xff%b\xff" % (name.encode(), labels[name].encode()):
            total = (total ^ byte) * _PRIME & _MASK
    return f"{total:016x}"


def is_name(name: str, version: Version) -> bool:
    """Whether a label or an annotation may have this name; since UTF-8 names were introduced, any text that is not
    empty.
    """
    return bool(name) if version != "0.25.0" else _CLASSIC_NAME.fullmatch(name) is not None


def invalid_name(names: Iterable[str], version: Version) -> str | None:
    """The first name that is not allowed."""
    return next((name for name in names if not is_name(name, version)), None)


def quoted(text: str) -> str:
    """A text in double quotes, as Go's ``%q`` writes it for ordinary characters."""
    return json.dumps(text, ensure_ascii=False)


def written(labels: Mapping[str, str]) -> str:
    """``{a="b", c="d"}``, sorted by name: the second half of a group's key."""
    return "{" + ", ".join(f"{name}={quoted(labels[name])}" for name in sorted(labels)) + "}"


def group_order(labels: Mapping[str, str]) -> tuple[int, list[tuple[str, str]]]:
    """The sort key of groups: fewer labels first, then by name and value."""
    return len(labels), sorted(labels.items())


def alert_order(labels: Mapping[str, str]) -> tuple[bool, str, bool, str, int, list[tuple[str, str]]]:
    """The sort key of the alerts in a group: by ``job`` and ``instance``, those without them last."""
    job, instance = labels.get("job"), labels.get("instance")
    return job is None, job or "", instance is None, instance or "", *group_order(labels)


_CLASSIC = re.compile(r"^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*((?s:.*?))\s*$")
_QUOTED_NAME = re.compile(r'^\s*"((?:[^"\\]|\\.)*)"\s*(=~|=|!=|!~)\s*((?s:.*?))\s*$')
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}
_NOT_RE2 = re.compile(r"(?<!\\)(?:\\\\)*(\(\?(?:=|!|<=|<!|>|P=|\()|\\[1-9])")
_GO_SYNTAX = re.compile(r"\(\?P?<(?![=!])")


class PatternError(ValueError):
    """A regular expression that RE2 rejects."""


def compile_pattern(pattern: str, shown: str) -> re.Pattern[str]:
    """Compile a pattern for ``fullmatch``. Raises PatternError, with ``shown`` quoted as Go does, if RE2 rejects it."""
    unsupported = _NOT_RE2.search(pattern)
    if unsupported:
        raise PatternError(f"error parsing regexp: invalid or unsupported Perl syntax: `{unsupported[1]}`")
    try:
        return re.compile(_GO_SYNTAX.sub("(?P<", pattern))
    except re.error as error:
        raise PatternError(f"error parsing regexp: {error.msg}: `{shown}`") from None


@dataclass(frozen=True, slots=True)
class Matcher:
    """``name``, an operator and ``value``; a regular expression must match the label's whole value.

    Raises PatternError if the value should be a regular expression and is invalid.
    """

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True
    _pattern: re.Pattern[str] | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.is_regex:
            object.__setattr__(self, "_pattern", compile_pattern(self.value, f"^(?:{self.value})$"))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels match; a missing label counts as empty."""
        value = labels.get(self.name, "")
        found = self.value == value if self._pattern is None else self._pattern.fullmatch(value) is not None
        return found is self.is_equal

    def __str__(self) -> str:
        operator = ("=" if self.is_equal else "!") + ("~" if self.is_regex else "" if self.is_equal else "=")
        escaped = self.value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        return f'{self.name}{operator}"{escaped}"'


def match_all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    return all(matcher.matches(labels) for matcher in matchers)


def parse_matcher(text: str, version: Version) -> Matcher:
    """Parse a matcher such as ``severity=~"major|minor"``, its value quoted or not.

    A quoted name is accepted since UTF-8 names were introduced. Raises ValueError, in Alertmanager's words, for any
    other text.
    """
    match = _CLASSIC.match(text)
    name = match[1] if match else ""
    if match is None and version != "0.25.0":
        match = _QUOTED_NAME.match(text)
        name = _unescape(match[1]) if match else ""
    if match is None:
        raise ValueError(f"bad matcher format: {text}")
    operator = match[2]
    return Matcher(name, _value(match[3]), is_regex="~" in operator, is_equal=not operator.startswith("!"))


def _value(raw: str) -> str:
    """The value without its quotes. Raises ValueError if it contains an unescaped quote."""
    inner, opened = raw, raw.startswith('"')
    if opened:
        inner = raw[1:]
    closed = bool(re.search(r'(?<!\\)(?:\\\\)*"$', inner))
    if closed:
        inner = inner[:-1]
    if opened != closed or re.search(r'(?<!\\)(?:\\\\)*"', inner):
        raise ValueError(f"matcher value contains unescaped double quote: {raw}")
    return _unescape(inner)


def _unescape(text: str) -> str:
    r"""Replace ``\n``, ``\"`` and ``\\``; any other backslash stands for itself."""
    return re.sub(r'\\([n"\\])', lambda match: _ESCAPES[match[1]], text)
