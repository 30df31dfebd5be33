"""Cutting a plan into shards: parts that can be carried out in parallel, in any order.

A shard contains all operations of an address, both addresses of a move, and resources with their dependencies. Apart
from that, addresses are in plan order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from reconciler.core.address import Address
from reconciler.core.operation import Operation
from reconciler.plan.plan import Change, Plan

SHARD_SIZE = 25_000
"""The approximate number of operations in a shard, by default."""


class PlanShard(NamedTuple):
    """Operations of a plan, in its order.

    ``needed`` are the dependencies of their resources; ``done`` are operations they depend on that are done already.
    """

    operations: Sequence[Operation]
    needed: Mapping[Address, Sequence[Address]]
    done: frozenset[str]


def cut_plan(plan: Plan, size: int, done: Collection[str] = ()) -> list[PlanShard]:
    """The shards of a plan, each of about ``size`` operations unless more belong together, without ``done`` ones.

    Conditional clears are left out: whether they are due is known only when everything else is done.
    """
    changes = [change for change in plan.changes if change.operations]
    roots = _roots(changes)
    shards = [_shard(part, done) for part in (_parts(changes, size) if not roots else _grouped(changes, roots, size))]
    return [shard for shard in shards if shard.operations]


def _parts(changes: Sequence[Change], size: int) -> Iterator[Sequence[Change]]:
    """Changes of which none belongs to another, in parts of about ``size`` operations."""
    ends = list(accumulate(len(change.operations) for change in changes))
    start = 0
    while start < len(changes):
        end = bisect_left(ends, (ends[start - 1] if start else 0) + size) + 1
        yield changes[start:end]
        start = end


def _grouped(changes: Sequence[Change], roots: Mapping[Address, Address], size: int) -> Iterator[Sequence[Change]]:
    """The same, with the changes that belong together in one part, in the order of the first of each group."""
    groups: dict[Address, list[Change]] = {}
    for change in changes:
        groups.setdefault(roots.get(change.address, change.address), []).append(change)
    part, room = list[Change](), size
    for group in groups.values():
        part += group
        room -= sum(len(change.operations) for change in group)
        if room <= 0:
            yield part
            part, room = [], size
    if part:
        yield part


def _shard(changes: Sequence[Change], done: Collection[str]) -> PlanShard:
    every = [operation for change in changes for operation in change.operations]
    left = [operation for operation in every if not operation.only_if_duplicate and operation.key not in done]
    needed = {
        address: change.desired.depends_on
        for change in changes
        if change.desired is not None and change.desired.depends_on
        for address in change.addresses
    }
    followed = {item.depends_on for item in every if item.depends_on in done} if done else ()
    if needed and done:
        followed = {*followed, *(item.key for item in every if item.key in done)}
    return PlanShard(left, needed, frozenset(filter(None, followed)))


def _roots(changes: Sequence[Change]) -> Mapping[Address, Address]:
    """For each address that belongs to a group, the address that represents the group."""
    if not any(change.moved_from or (change.desired is not None and change.desired.depends_on) for change in changes):
        return {}
    parents: dict[Address, Address] = {}

    def find(address: Address) -> Address:
        root = address
        while (above := parents.setdefault(root, root)) != root:
            root = above
        while (above := parents[address]) != root:
            parents[address], address = root, above
        return root

    families: set[Address] = set()
    for change in changes:
        needed = change.desired.depends_on if change.desired is not None else ()
        for address in (*change.addresses[1:], *needed):
            parents[find(address)] = find(change.address)
            if address.key is None:
                families.add(address)
    for change in changes if families else ():
        family = change.address._replace(key=None)
        if family in families:
            parents[find(change.address)] = find(family)
    return {address: find(address) for address in list(parents)}
