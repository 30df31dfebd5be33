"""Settlements as text: what became of operations that an earlier run left open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.apply.settle import Settlement
from reconciler.ledger.protocol import Entry
from reconciler.views.printable import printable
from reconciler.views.text.line import BLANK, Line, Style, line
from reconciler.views.wording import count


def settlement_lines(settlement: Settlement) -> Iterator[Line]:
    """Nothing where nothing was open."""
    groups = (
        (settlement.arrived, "had reached the service", Style.PLAIN),
        (settlement.lost, "never arrived and will be planned anew where still due", Style.WARNING),
        (settlement.open, "could not be asked about and stay open", Style.ERROR),
    )
    total = sum(len(entries) for entries, _, _ in groups)
    if not total:
        return
    yield line((f"An earlier run left {count(total, 'operation')} open:", Style.BOLD))
    for entries, what, style in groups:
        if entries:
            yield line("  ", (f"{len(entries):,} {what}", style), f": {_addresses(entries)}", hang=4)
    yield BLANK


def _addresses(entries: Sequence[Entry], most: int = 10) -> str:
    names = list(dict.fromkeys(str(entry.operation.address) for entry in entries))
    more = f", and {len(names) - most:,} more" if len(names) > most else ""
    return printable(", ".join(names[:most])) + more
