"""Text from a service, made fit to be shown: no control characters, bounded, free of secrets."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote

MAX_LENGTH = 500
HIDDEN = "***"

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
        if secret:
            forms = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret, "")}
            self._forms = tuple(sorted(forms.union(self._forms), key=len, reverse=True))

    def hide(self, text: str) -> str:
        """The text with every secret replaced, also where it is escaped for JSON or a URL."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return text
