"""Batches: operations in groups that fit one request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.core.operation import Operation
from reconciler.providers.protocol import Limits


def batches(operations: Sequence[Operation], limits: Limits) -> Iterator[list[Operation]]:
    """Groups of one verb, at most ``batch_size`` items and ``batch_bytes`` of payload; a larger item goes alone."""
    by_verb: dict[str, list[Operation]] = {}
    for operation in operations:
        by_verb.setdefault(operation.verb, []).append(operation)
    for group in by_verb.values():
        yield from _split(group, limits.batch_size, limits.batch_bytes)


def halves(group: Sequence[Operation]) -> tuple[Sequence[Operation], Sequence[Operation]]:
    """Both halves of a group of two or more, to narrow a refusal down."""
    middle = len(group) // 2
    return group[:middle], group[middle:]


def _split(group: list[Operation], size: int, room: int) -> Iterator[list[Operation]]:
    batch: list[Operation] = []
    used = 0
    for operation in group:
        weight = len(operation.payload) if operation.payload.isascii() else len(operation.payload.encode())
        if batch and (len(batch) >= size or used + weight > room):
            yield batch
            batch, used = [], 0
        batch.append(operation)
        used += weight
    if batch:
        yield batch
