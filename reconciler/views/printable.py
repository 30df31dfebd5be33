"""Printable text: what a service or a user wrote, made safe for a terminal."""

from __future__ import annotations

import json
import re

from reconciler.core.surrogates import CARRIED, escaped

# C0 and C1 controls, delete, line and paragraph separators, the marks that reorder or hide text, lone surrogates, tags.
# Text that holds any is rare, and the pattern takes a millisecond to compile: ``re`` does so when it is first used.
_UNSAFE = (
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    f"\U000e0000-\U000e0fff{CARRIED}]"
)
_CARRIED_FROM = 0x10F800
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in _SHORT:
        return _SHORT[char]
    code = ord(char)
    if code >= _CARRIED_FROM:
        return escaped(char)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def printable(text: str) -> str:
    """The text on one line, with every character that could move a cursor or hide another shown as an escape."""
    return text if text.isprintable() else re.sub(_UNSAFE, _escape, text)


def printable_json(text: str) -> str:
    """JSON text, with the characters its encoder leaves alone that a terminal would obey written as escapes."""
    return re.sub(_UNSAFE, _json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    char = match[0]
    if char == "\n":
        return char
    return escaped(char) if ord(char) >= _CARRIED_FROM else json.dumps(char)[1:-1]
