"""A valid stack as JSON: the document of diagnostics (its warnings), with ``stack`` and what it declares.

``resources`` counts resources by type; ``queries``, ``checks`` and ``drills`` are numbers. A stack with errors answers
the document of diagnostics alone.
"""

from __future__ import annotations

from collections import Counter

from reconciler.config.stack import Stack
from reconciler.views.json.diagnostic import diagnostics_document
from reconciler.views.phrases.plan import section_size


def validation_document(stack: Stack) -> dict[str, object]:
    """What a valid stack declares."""
    types = Counter(desired.address.type for desired in stack.desired)
    return {
        **diagnostics_document(stack.warnings),
        "stack": stack.name,
        "resources": dict(sorted(types.items())),
        "queries": len(stack.data),
        "checks": section_size(stack, "checks"),
        "drills": section_size(stack, "drills"),
    }
