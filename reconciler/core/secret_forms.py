"""The forms of a secret: how it can look once something has written it into another language."""

from __future__ import annotations

import json
import shlex
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from reconciler.core.text import printable


def secret_forms(secret: str) -> Iterator[str]:
    """As it is and line by line: plain, and written for a terminal, JSON, a URL, HTML, a shell, Python or as base64."""
    for text in dict.fromkeys((secret, *(line.strip() for line in secret.splitlines()))):
        yield from _forms(text)


def _forms(secret: str) -> Iterator[str]:
    """How a secret can look once something has written it into JSON, a URL, HTML, a shell command or base64."""
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
# As html.escape writes them; that module loads a table of every entity there is, which no small plan needs.
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_HTML_BY_NUMBER = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"})
