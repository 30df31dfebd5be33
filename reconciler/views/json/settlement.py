"""Settlements as JSON.

``{"format_version", "arrived", "lost", "open"}``, each a list of ``{"address", "provider", "verb", "key", "run",
"intended_at"}``: operations that had reached the service, that never did, and that could not be queried.
``intended_at`` is epoch milliseconds, as in the ledger's other documents.
"""

from __future__ import annotations

from reconciler.apply.settle import Settlement
from reconciler.ledger.protocol import Entry
from reconciler.views.json.document import document


def settlement_document(settlement: Settlement) -> dict[str, object]:
    """The document of what settling found."""
    return document(**{group: [_entry(entry) for entry in entries] for group, entries in settlement._asdict().items()})


def _entry(entry: Entry) -> dict[str, object]:
    operation = entry.operation
    return {
        "address": str(operation.address),
        "provider": operation.provider,
        "verb": operation.verb.value,
        "key": operation.key,
        "run": entry.run,
        "intended_at": entry.intended_at,
    }
