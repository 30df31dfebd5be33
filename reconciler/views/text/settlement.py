"""Settlements as text: what became of operations that an earlier run left open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.apply.settle import Settlement
from reconciler.core.text import printable
from reconciler.ledger.protocol import Entry
from reconciler.views.phrases.plan import count
from reconciler.views.text.line import BLANK, Line, Style, line


def settled_lines(settlement: Settlement) -> Iterator[Line]:
    """What `ledger settle` found, every address of it."""
    if not any(settlement):
        yield line("Nothing is open: the outcome of every operation is known.")
        return
    yield from settlement_lines(settlement, most=None)
    if settlement.open:
        yield line("To ask again, run this once more when the service answers; `reconciler apply` asks first, too.")
    else:
        yield line("Nothing is open any more.")


def settlement_lines(settlement: Settlement, most: int | None = 10) -> Iterator[Line]:
    """Nothing where nothing was open; ``most`` is how many addresses of a group are named, None names all."""
    groups = (
        (settlement.arrived, "had reached the service", Style.PLAIN),
        (settlement.lost, "never arrived and will be planned anew where still due", Style.WARNING),
        (settlement.open, "could not be queried and stay open", Style.ERROR),
    )
    total = sum(len(entries) for entries, _, _ in groups)
    if not total:
        return
    yield line((f"An earlier run left {count(total, 'operation')} open:", Style.BOLD))
    for entries, what, style in groups:
        if entries:
            yield line("  ", (f"{len(entries):,} {what}", style), f": {_addresses(entries, most)}", hang=4)
    yield BLANK


def _addresses(entries: Sequence[Entry], most: int | None) -> str:
    names = list(dict.fromkeys(str(entry.operation.address) for entry in entries))
    shown = names[:most]
    more = f", and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return printable(", ".join(shown)) + more
