"""Documents: what every JSON answer has in common."""

from __future__ import annotations

import json

from reconciler.views.printable import printable_json

FORMAT_VERSION = "1.0"
"""Grows in its second part when a key is added, in its first when one changes its meaning or goes."""


def document(**members: object) -> dict[str, object]:
    """A document: ``format_version`` and its members, in this order."""
    return {"format_version": FORMAT_VERSION, **members}


def encode(value: object) -> str:
    """JSON text for people and tools: indented, non-ASCII text as it is, nothing a terminal would obey."""
    return printable_json(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"
