"""Documents: the members and the encoding that all JSON output shares."""

from __future__ import annotations

import json
import re

from reconciler.core.text import printable_json

FORMAT_VERSION = "1.1"
"""The second part grows when a key is added, the first when a key is removed or changes its meaning."""


def document(**members: object) -> dict[str, object]:
    """Make a document without a published schema: ``format_version``, then ``members`` in their order."""
    return {"format_version": FORMAT_VERSION, **members}


def encode(value: object, *, ascii: bool = False) -> str:
    """Encode a value as indented JSON text, with terminal control characters escaped.

    ``ascii`` escapes all that is not ASCII, for a reader whose encoding lacks it.
    """
    text = printable_json(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"
    return re.sub("[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], text) if ascii else text
