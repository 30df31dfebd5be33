"""Redaction: secrets taken out of everything that is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from reconciler.views.printable import printable

MASK = "(sensitive)"

_SHORTEST = 3
"""A shorter secret is no secret, and masking each of its occurrences would leave nothing to read."""


class Redactor:
    """Replaces every occurrence of a secret by a mask, in whatever form a view may have written it."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.secrets = frozenset(secrets)
        forms = {form for secret in self.secrets for form in _forms(secret) if len(form) >= _SHORTEST}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def tree(self, value: object) -> object:
        """The same for every string of a JSON document, keys included; its shape stays."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {self(str(key)): self.tree(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(item) for item in value]
        return value


def _forms(secret: str) -> Iterator[str]:
    """How a secret can look once rendered: as it is, line by line, and escaped for a terminal, JSON or Markdown."""
    from reconciler.views.markdown.text import escape  # only where there are secrets

    for text in (secret, *(line.strip() for line in secret.splitlines())):
        yield text
        yield printable(text)
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield json.dumps(text)[1:-1]
        yield repr(text)[1:-1]
        yield escape(text)
