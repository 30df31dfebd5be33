"""The first rows of a shard's journal: its run, and the intents of all that it sends, so that its journal is
its plan.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.core.operation import Operation
from reconciler.ledger.codec import Row, encode_intent
from reconciler.ledger.protocol import Run
from reconciler.ledger.replica import run_row

_OPERATIONS = 2_000
"""Operations per row."""


def shard_rows(run: Run, operations: Sequence[Operation], now: int) -> list[Row]:
    """The rows for the operations that a run sends. Raises ValueError for an operation that cannot be encoded."""
    rows = [run_row(run, now).sealed()]
    for start in range(0, len(operations), _OPERATIONS):
        intent = encode_intent(operations[start : start + _OPERATIONS])
        rows.append(Row("intend", run.id, now, *intent).sealed())
    return rows


def shard_name(stack: str, run: str, number: int) -> str:
    """The name of a shard, which is not a valid stack name."""
    return f"{stack}#{run}.{number}"
