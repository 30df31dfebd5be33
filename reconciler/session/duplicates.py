"""Unmanaged duplicates of an open stack's alarms: what the services show of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from reconciler.core.action import Action
from reconciler.core.desired import Desired, Kind
from reconciler.core.observed import UnmanagedAlarm
from reconciler.plan.plan import Plan
from reconciler.providers.protocol import Importable

if TYPE_CHECKING:
    from reconciler.session.workspace import Workspace

MOST_COMPARED = 100
"""The number of a provider's alarms up to which a plan looks for unmanaged duplicates of all; beyond, only of those it
raises.

A service may be unable to filter for unmanaged alarms: for a large stack it would list every alarm again.
"""

MOST_VALUES = 500
"""The maximum number of values by which a query for several stacks filters a name; with more, it does not
filter by it.
"""


def with_duplicates(workspace: Workspace, plan: Plan, *, only_raised: bool) -> Plan:
    """The plan, with a warning about unmanaged duplicates of the stack's alarms. Raises ServiceError."""
    unmanaged: list[UnmanagedAlarm] = []
    for key, provider in workspace.providers.items():
        compared = _compared(plan, key, only_raised=only_raised) if isinstance(provider, Importable) else []
        given = workspace.given_unmanaged.pop(key, None)
        if compared and given is None:
            unmanaged += workspace.unmanaged(_common(compared), key)
        elif compared and given is not None:
            filters = _common(compared)
            unmanaged += [item for item in given if _passes(item, filters)]
    if not unmanaged:
        return plan
    from reconciler.plan.duplicates import duplicate_warnings

    found = tuple(duplicate_warnings(plan.changes, unmanaged))
    return plan._replace(warnings=(*plan.warnings, *found)) if found else plan


def _compared(plan: Plan, key: str, *, only_raised: bool) -> list[Desired]:
    """The alarms to compare at a provider: those declared firing; if there are too many, or on request, those raised;
    if these are too many, none.
    """
    firing = [
        change
        for change in plan.changes
        if change.provider == key
        and change.desired is not None
        and change.desired.firing
        and change.desired.kind is not Kind.EVENT
    ]
    if len(firing) > MOST_COMPARED or only_raised:
        firing = [change for change in firing if change.action is Action.CREATE]
    if len(firing) > MOST_COMPARED:
        return []
    return [change.desired for change in firing if change.desired is not None]


def unmanaged_filters(stacks: Iterable[Sequence[Desired]]) -> Mapping[str, Collection[str]]:
    """Filters that match everything that ``with_duplicates`` compares with any of these stacks."""
    firing = [item for desired in stacks for item in desired if item.firing and item.kind is not Kind.EVENT]
    found = _common(firing) if firing else {}
    return {name: values for name, values in found.items() if len(values) <= MOST_VALUES}


def _common(compared: Sequence[Desired]) -> Mapping[str, Collection[str]]:
    """Filters that match all of these: the names that they all have."""
    names = set.intersection(*(set(item.identity) for item in compared))
    return {name: {item.identity[name] for item in compared} for name in sorted(names)}


def _passes(item: UnmanagedAlarm, filters: Mapping[str, Collection[str]]) -> bool:
    return all(item.observed.identity.get(name) in values for name, values in filters.items())
