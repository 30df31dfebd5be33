"""Switches: the settings that play what the API pages leave open, read from ``NAME=VALUE`` texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin, get_type_hints

from reconciler.emulator.settings import Settings

_ELSEWHERE = {"db", "hosts", "clock", "seed", "token", "keys", "users", "projects", "notifications", "faults"} | {
    "tls_certificate",
    "tls_key",
    "smn_region",
    "smn_endpoints",
    "alertmanager_config",
}
_DURATION = re.compile(r"(\d{1,12})(ms|s|m|h|d)")
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def switches() -> dict[str, str]:
    """Every switch by name, with the values it takes in words."""
    return {name: _words(kind) for name, kind in _kinds().items()}


def read_switches(texts: Iterable[str]) -> dict[str, Any]:
    """Keyword arguments for ``Settings`` from texts like ``clear_by=id`` or ``default_timeout=3d``.

    ValueError, with a sentence for the user, on an unknown name or a value the switch does not take.
    """
    kinds = _kinds()
    read: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise ValueError(f"switch {text!r} has no value: write NAME=VALUE")
        if name not in kinds:
            raise ValueError(f"there is no switch {name!r}; there are {', '.join(kinds)}")
        try:
            read[name] = _value(kinds[name], value.strip())
        except ValueError:
            raise ValueError(f"switch {name} takes {_words(kinds[name])}, not {value!r}") from None
    return read


def _kinds() -> dict[str, Any]:
    return {name: kind for name, kind in get_type_hints(Settings).items() if name not in _ELSEWHERE}


def _words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    if kind is bool:
        return "true or false"
    if get_origin(kind) is tuple:
        return "names with commas between"
    return "a whole number, or a duration like 30s, 12h or 3d"


def _value(kind: Any, text: str) -> object:
    if get_origin(kind) is Literal:
        return {str(each): each for each in get_args(kind)}[text] if text in map(str, get_args(kind)) else _wrong()
    if kind is bool:
        return {"true": True, "false": False}[text] if text in ("true", "false") else _wrong()
    if get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    match = _DURATION.fullmatch(text)
    if match:
        return int(match[1]) * _UNITS[match[2]]
    return int(text) if re.fullmatch(r"\d{1,15}", text) else _wrong()


def _wrong() -> object:
    raise ValueError
