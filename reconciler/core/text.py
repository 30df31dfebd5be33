"""Text from users and services, made safe to show: no control characters, bounded, free of secrets."""

from __future__ import annotations

import json
import re
import unicodedata  # a large table, needed only when a service returns an error
from base64 import b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

_OFFSET = 0x10F800 - 0xD800

CARRIED = "\U0010f800-\U0010ffff"
"""The characters that replace lone surrogates, as a range of a regular expression."""


def carry(text: str) -> str:
    """Replace each lone surrogate by the character that stands for it."""
    return re.sub("[\ud800-\udfff]", lambda half: chr(ord(half[0]) + _OFFSET), text)


def escaped(char: str) -> str:
    """The JSON escape of a lone surrogate, or of its replacement character."""
    code = ord(char)
    return f"\\u{code - _OFFSET if code > 0xFFFF else code:04x}"


def write_escapes(json_text: str) -> str:
    """JSON text with surrogates, and their replacement characters, as escapes."""
    if json_text.isascii():
        return json_text
    return re.sub(f"[\ud800-\udfff{CARRIED}]", lambda half: escaped(half[0]), json_text)


MAX_LENGTH = 500
MASK = "(sensitive)"
SHORTEST_SECRET = 6
"""Shorter secrets are not redacted: doing so would garble ordinary words."""

# Control, format (which turn the direction of text), surrogate and private characters, line and paragraph separators.
_UNFIT = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))


def sanitize(text: str, limit: int = MAX_LENGTH) -> str:
    """One line of printable text, of at most ``limit`` characters."""
    text = text[: 4 * limit]
    if not (text.isascii() and text.isprintable()):
        text = "".join(" " if unicodedata.category(char) in _UNFIT else char for char in text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


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
    """The text on one line, with every character that could move a cursor or hide another one escaped."""
    return text if text.isprintable() else re.sub(_UNSAFE, _escape, text)


def printable_json(text: str) -> str:
    """JSON text in which characters that a terminal interprets, but JSON encoders leave alone, are escaped."""
    return re.sub(_UNSAFE, _json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    char = match[0]
    if char == "\n":
        return char
    return escaped(char) if ord(char) >= _CARRIED_FROM else json.dumps(char)[1:-1]


_LINK = r"(?i)\b(?:https?|ftp|mailto|www)(?=[:.])|\\#(?=[0-9])"
"""What Markdown links automatically: addresses, issue numbers."""
_BREAK = "&#8203;"
"""A zero-width space as an entity, which prevents a link or a mention."""
_LINKED = frozenset(":.#")
"""What every text with a link holds one of."""
_MARKDOWN = str.maketrans({special: rf"\{special}" for special in r"\`*_{}[]()#+!|~$"} | {"@": rf"\@{_BREAK}"})


def escape_markdown(text: str) -> str:
    """Text on one line without Markdown or HTML syntax, and without mentions."""
    shown = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    marked = shown.translate(_MARKDOWN)
    return marked if _LINKED.isdisjoint(marked) else re.sub(_LINK, rf"\g<0>{_BREAK}", marked)


class Redactor:
    """The secrets that must never be shown; grows as tokens are fetched; thread-safe."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: tuple[str, ...] = ()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Redact this secret, too, from now on."""
        if len(secret) >= SHORTEST_SECRET:
            found = [form for form in secret_forms(secret) if len(form) >= SHORTEST_SECRET]
            self._forms = tuple(sorted({*found, *self._forms}, key=lambda form: (-len(form), form)))

    def redact(self, text: str) -> str:
        """The text with every secret replaced, in any of its forms."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text

    def redact_tree(self, value: object) -> object:
        """Redact every string of a JSON document, keys included; its shape stays."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {self.redact(str(key)): self.redact_tree(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.redact_tree(item) for item in value]
        return value


def secret_forms(secret: str) -> Iterator[str]:
    """The forms of a secret, whole and line by line: plain, and encoded for a terminal, JSON, a URL, HTML, Markdown,
    a shell, Python or as base64.
    """
    for text in dict.fromkeys((secret, *(line.strip() for line in secret.splitlines()))):
        yield from _forms(text)


def _forms(secret: str) -> Iterator[str]:
    """The forms of a secret in JSON, a URL, HTML, Markdown, a shell command or base64."""
    yield secret
    yield printable(secret)
    yield repr(secret)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    for safe in ("", "/"):
        yield quote(secret, safe, errors="replace")
        yield quote_plus(secret, safe, errors="replace")
    yield secret.translate(_HTML)
    yield secret.translate(_HTML_BY_NUMBER)
    yield escape_markdown(secret)
    yield "'" + secret.replace("'", "'\"'\"'") + "'"  # as shlex.quote does
    content = secret.encode("utf-8", "replace")
    for lead in range(3):
        # Base64 encodes three bytes as four characters: the encoded secret depends on its offset, and its edges share
        # bits with its neighbours.
        coded = b64encode(bytes(lead) + content).decode()[(0, 2, 3)[lead] :].rstrip("=")
        inner = coded if (lead + len(content)) % 3 == 0 else coded[:-1]
        yield inner
        yield inner.translate(_URL_SAFE)


_URL_SAFE = str.maketrans("+/", "-_")
# As html.escape writes them; importing that module loads a table of all entities, which a small plan does not need.
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_HTML_BY_NUMBER = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"})
