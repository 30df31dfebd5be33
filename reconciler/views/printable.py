"""Printable text: what a service or a user wrote, made safe for a terminal."""

from __future__ import annotations

import re

# C0 and C1 controls, delete, line and paragraph separators, the marks that reorder or hide text, lone surrogates.
# Text that holds any is rare, and the pattern takes a millisecond to compile: ``re`` does so when it is first used.
_UNSAFE = "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in _SHORT:
        return _SHORT[char]
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"


def printable(text: str) -> str:
    """The text on one line, with every character that could move a cursor or hide another shown as an escape."""
    return text if text.isprintable() else re.sub(_UNSAFE, _escape, text)


def printable_json(text: str) -> str:
    """JSON text, with the characters its encoder leaves alone that a terminal would obey written as escapes."""
    return re.sub(_UNSAFE, lambda match: match[0] if match[0] == "\n" else f"\\u{ord(match[0]):04x}", text)
