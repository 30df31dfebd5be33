"""The rows that a shard begins with: its run, and the intents of all it is to send, so that its journal is its plan."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.core.operation import Operation
from reconciler.ledger.codec import Row, encode_intent
from reconciler.ledger.protocol import Run
from reconciler.ledger.replica import run_row

_OPERATIONS = 2_000
"""How many operations a row holds."""


def shard_rows(run: Run, operations: Sequence[Operation], now: int) -> list[Row]:
    """The rows for operations that a run is to send. Raises ValueError for one that cannot be written down."""
    rows = [run_row(run, now).sealed()]
    for start in range(0, len(operations), _OPERATIONS):
        intent = encode_intent(operations[start : start + _OPERATIONS])
        rows.append(Row("intend", run.id, now, *intent).sealed())
    return rows


def shard_name(stack: str, run: str, number: int) -> str:
    """The name of a shard, which no stack can have."""
    return f"{stack}#{run}.{number}"
