"""Settlements as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from reconciler.apply.settle import Settlement
from reconciler.ledger.protocol import Entry
from reconciler.views.json.document import FORMAT_VERSION

if TYPE_CHECKING:
    from reconciler.views.json.schema import SettledShape, SettlementOutput


def settlement_document(settlement: Settlement) -> SettlementOutput:
    """The document of a settlement."""
    return {
        "format_version": FORMAT_VERSION,
        "arrived": _entries(settlement.arrived),
        "lost": _entries(settlement.lost),
        "open": _entries(settlement.open),
        "waiting": _entries(settlement.waiting),
    }


def _entries(entries: Iterable[Entry]) -> list[SettledShape]:
    return [_entry(entry) for entry in entries]


def _entry(entry: Entry) -> SettledShape:
    operation = entry.operation
    return {
        "address": str(operation.address),
        "provider": operation.provider,
        "verb": operation.verb,
        "key": operation.key,
        "run": entry.run,
        "intended_at": entry.intended_at,
    }
