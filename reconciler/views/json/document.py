"""Documents: what every JSON answer has in common."""

from __future__ import annotations

import json
import re

from reconciler.core.text import printable_json

FORMAT_VERSION = "1.0"
"""Grows in its second part when a key is added, in its first when one changes its meaning or goes."""


def document(**members: object) -> dict[str, object]:
    """A document: ``format_version`` and its members, in this order."""
    return {"format_version": FORMAT_VERSION, **members}


def encode(value: object, *, ascii: bool = False) -> str:
    """JSON text for people and tools: indented, nothing that a terminal would obey.

    Text that is not ASCII stays as it is, unless the reader's encoding has no room for it (``ascii``).
    """
    text = printable_json(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"
    return re.sub("[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], text) if ascii else text
