"""Surrogates: halves of a pair, which JSON can write and UTF-8 cannot, carried through the program and back.

A service may show text that holds one. Inside the program it stands as a character of the last private-use plane, which
can be stored and sent everywhere; what is shown and what goes back to the service has the escape again.
"""

from __future__ import annotations

import re

_OFFSET = 0x10F800 - 0xD800

CARRIED = "\U0010f800-\U0010ffff"
"""The characters that stand for the halves, as a range of a regular expression."""


def carry(text: str) -> str:
    """The text with each lone surrogate as the character that stands for it."""
    return re.sub("[\ud800-\udfff]", lambda half: chr(ord(half[0]) + _OFFSET), text)


def escaped(char: str) -> str:
    """The JSON escape of a lone surrogate, or of the character that stands for one."""
    code = ord(char)
    return f"\\u{code - _OFFSET if code > 0xFFFF else code:04x}"


def write_escapes(json_text: str) -> str:
    """JSON text with its surrogates, and what stands for them, as escapes."""
    if json_text.isascii():
        return json_text
    return re.sub(f"[\ud800-\udfff{CARRIED}]", lambda half: escaped(half[0]), json_text)
