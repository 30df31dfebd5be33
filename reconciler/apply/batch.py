"""Batches: operations in the order they are due, in groups that fit one request."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from reconciler.core.operation import Operation
from reconciler.providers.protocol import Limits


def waves(operations: Iterable[Operation], done: Collection[str] = ()) -> list[list[Operation]]:
    """Operations by how many others must be done first; each wave may be sent once the one before it has ended.

    ``done`` are the keys of operations that need not be waited for. Raises ValueError where an operation waits for one
    that is neither there nor done.
    """
    depth = dict.fromkeys(done, -1)
    ordered: list[list[Operation]] = []
    waiting = list(operations)
    while waiting:
        later = []
        for operation in waiting:
            if operation.after is not None and operation.after not in depth:
                later.append(operation)
                continue
            level = 0 if operation.after is None else depth[operation.after] + 1
            depth[operation.key] = level
            while len(ordered) <= level:
                ordered.append([])
            ordered[level].append(operation)
        if len(later) == len(waiting):
            raise ValueError(f"operation {later[0].key} waits for {later[0].after}, which is not in the plan")
        waiting = later
    return ordered


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
