"""Adoption: taking over unmanaged alarms, by raising a marked one in the place of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.core.action import Action
from reconciler.core.observed import Observed
from reconciler.core.resource_type import ResourceType
from reconciler.core.unmanaged import UnmanagedAlarm
from reconciler.plan.difference import differences
from reconciler.plan.plan import Change, Plan
from reconciler.plan.planner import with_operations


def adopt(plan: Plan, foreign: Iterable[UnmanagedAlarm], types: Mapping[str, ResourceType]) -> Plan:
    """The part of a plan that creates what fires already without marks, each create now a replace.

    What is known by the very same identity at the same provider is the same alarm. The marked one is pushed first, so
    that it never stops firing; then the other is cleared, by id. Everything else of the plan is left out.
    """
    unmarked: dict[tuple[str, str, frozenset[tuple[str, str]]], list[Observed]] = {}
    for found in (item.observed for item in foreign):
        key = (found.provider, found.marks.address.type, frozenset(found.identity.items()))
        unmarked.setdefault(key, []).append(found)
    changes = []
    for change in plan.changes:
        desired = change.desired
        if change.action is not Action.CREATE or desired is None:
            continue
        key = (change.provider, change.address.type, frozenset(desired.identity.items()))
        before = sorted(unmarked.pop(key, ()), key=lambda found: (-found.starts_at, found.id))
        if before:
            changes.append(_adopted(change, tuple(before)))
    addresses = {str(change.address) for change in changes}
    basis = {address: known for address, known in plan.basis.items() if address in addresses}
    return with_operations(plan._replace(changes=tuple(changes), basis=basis), types)


def _adopted(change: Change, before: tuple[Observed, ...]) -> Change:
    desired = change.desired
    assert desired is not None
    return change._replace(
        action=Action.REPLACE,
        reason="fires without marks: a marked one takes its place",
        before=before,
        clears=before,
        differences=differences(desired, before[0]),
    )
