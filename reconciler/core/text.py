"""Text from a service, made fit to be shown: no control characters, bounded, free of secrets."""

from __future__ import annotations

import json
import shlex
import unicodedata
from base64 import b64encode
from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote, quote_plus

MAX_LENGTH = 500
HIDDEN = "***"
SHORTEST_SECRET = 6
"""Shorter secrets are not hidden: hiding each of their occurrences would eat words."""

# Control, format (which turn the direction of text), surrogate and private characters, line and paragraph separators.
_UNFIT = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))


def sanitize(text: str, limit: int = MAX_LENGTH) -> str:
    """One line of printable text, of at most ``limit`` characters."""
    text = text[: 4 * limit]
    if not (text.isascii() and text.isprintable()):
        text = "".join(" " if unicodedata.category(char) in _UNFIT else char for char in text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


class Redactor:
    """The texts that must never be shown; grows as tokens are fetched, and may be used from several threads."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: tuple[str, ...] = ()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        if len(secret) >= SHORTEST_SECRET:
            forms = [form for form in _forms(secret) if len(form) >= SHORTEST_SECRET]
            self._forms = tuple(sorted({*forms, *self._forms}, key=lambda form: (-len(form), form)))

    def hide(self, text: str) -> str:
        """The text with every secret replaced, also where it is escaped for JSON, a URL, HTML, a shell or as base64."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return text


def _forms(secret: str) -> Iterator[str]:
    """How a secret can look once something has written it into JSON, a URL, HTML, a shell command or base64."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    for safe in ("", "/"):
        yield quote(secret, safe, errors="replace")
        yield quote_plus(secret, safe, errors="replace")
    yield escape(secret)
    yield escape(secret).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield shlex.quote(secret)
    content = secret.encode("utf-8", "replace")
    for lead in range(3):
        # Base64 writes three bytes as four characters: what the secret looks like depends on where it begins, and its
        # edges hold bits of its neighbours.
        coded = b64encode(bytes(lead) + content).decode()[(0, 2, 3)[lead] :].rstrip("=")
        inner = coded if (lead + len(content)) % 3 == 0 else coded[:-1]
        yield inner
        yield inner.translate(_URL_SAFE)


_URL_SAFE = str.maketrans("+/", "-_")
