"""A valid stack as JSON: the document of diagnostics (its warnings), with ``stack`` and ``resources``.

``resources`` counts what is declared, by type. A stack with errors answers the document of diagnostics alone.
"""

from __future__ import annotations

from collections import Counter

from reconciler.config.stack import Stack
from reconciler.views.json.diagnostic import diagnostics_document


def validation_document(stack: Stack) -> dict[str, object]:
    """What a valid stack declares."""
    types = Counter(desired.address.type for desired in stack.desired)
    return {**diagnostics_document(stack.warnings), "stack": stack.name, "resources": dict(sorted(types.items()))}
