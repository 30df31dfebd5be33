"""Cutting a plan into shards: parts that can be carried out in parallel, in any order.

A shard contains all operations of an address, both addresses of a move, and resources with their dependencies. Apart
from that, addresses are in plan order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, chain

from reconciler.core.address import Address
from reconciler.core.operation import Operation
from reconciler.plan.plan import Change, Plan

SHARD_SIZE = 25_000
"""The approximate number of operations in a shard, by default."""


class PlanShard:
    """A part of a plan, without the operations that are ``already`` done.

    Its parts are worked out when they are first needed: of a million alarms that takes as long as sending 10,000.
    """

    def __init__(self, changes: Sequence[Change], already: Collection[str]) -> None:
        self._changes, self._already = changes, already

    @property
    def is_empty(self) -> bool:
        """Whether it sends nothing."""
        return all(item.only_if_duplicate or item.key in self._already for item in _operations(self._changes))

    @cached_property
    def operations(self) -> Sequence[Operation]:
        """What it sends, in the order of the plan."""
        already = self._already
        return [item for item in _operations(self._changes) if not item.only_if_duplicate and item.key not in already]

    @cached_property
    def dependencies(self) -> Mapping[Address, Sequence[Address]]:
        """The dependencies of its resources."""
        return {
            address: change.desired.depends_on
            for change in self._changes
            if change.desired is not None and change.desired.depends_on
            for address in change.addresses
        }

    @property
    def done(self) -> frozenset[str]:
        """Operations that its operations depend on, and that are done already."""
        if not self._already:
            return frozenset()
        keys = {item.depends_on for item in _operations(self._changes)}
        if self.dependencies:
            keys |= {item.key for item in _operations(self._changes)}
        return frozenset(key for key in keys if key is not None and key in self._already)


def cut_plan(plan: Plan, size: int, done: Collection[str] = ()) -> list[PlanShard]:
    """The shards of a plan, each of about ``size`` operations unless more belong together, without ``done`` ones.

    Conditional clears are left out: whether they are due is known only when everything else is done.
    """
    changes = [change for change in plan.changes if change.operations]
    roots = _roots(changes)
    parts = _grouped(changes, roots, size) if roots else _parts(changes, size)
    return [shard for shard in (PlanShard(part, done) for part in parts) if not shard.is_empty]


def _operations(changes: Iterable[Change]) -> Iterator[Operation]:
    return chain.from_iterable(change.operations for change in changes)


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
