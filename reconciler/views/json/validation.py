"""A valid stack as JSON: the document of diagnostics (its warnings), with what the stack declares.

An invalid stack gets the document of diagnostics alone.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.config.stack import Stack
from reconciler.views.json.diagnostic import diagnostics_document
from reconciler.views.phrases.plan import section_size

if TYPE_CHECKING:
    from reconciler.views.json.schema import Diagnostics


def validation_document(stack: Stack) -> Diagnostics:
    """The document of a valid stack."""
    types = Counter(desired.address.type for desired in stack.desired)
    return {
        **diagnostics_document(stack.warnings),
        "stack": stack.name,
        "resources": dict(sorted(types.items())),
        "queries": len(stack.data),
        "checks": section_size(stack, "checks"),
        "drills": section_size(stack, "drills"),
    }
