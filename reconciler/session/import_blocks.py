"""Imports of an open stack: what the services show of the objects it adopts, and of unmanaged duplicates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.digest import canonical
from reconciler.core.imports import Import, Lookup
from reconciler.core.observed import Observed, State, UnmanagedAlarm, is_unmanaged
from reconciler.plan.imports import duplicate_warnings, takes_unmanaged
from reconciler.plan.plan import Change, Plan
from reconciler.providers.protocol import Importable, TellsOwners
from reconciler.session.last_pushes import pushed_addresses

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


def find_imports(workspace: Workspace, observed: Sequence[Observed]) -> Mapping[Address, Lookup]:
    """The objects that the stack's ``import`` blocks name, by address. Raises ServiceError."""
    desired = {item.address: item for item in workspace.stack.desired}
    by_provider: dict[str, list[Import]] = {}
    for block in workspace.stack.imports:
        if block.destination in desired:
            by_provider.setdefault(desired[block.destination].provider, []).append(block)
    lookups: dict[Address, Lookup] = {}
    for key, blocks in by_provider.items():
        lookups.update(_look_up(workspace, key, blocks, observed))
    return lookups


def _look_up(
    workspace: Workspace, key: str, blocks: Sequence[Import], observed: Sequence[Observed]
) -> Iterator[tuple[Address, Lookup]]:
    provider = workspace.providers[key]
    if not isinstance(provider, Importable):
        unable = f'nothing can be imported from provider "{key}"'
        yield from ((block.destination, Lookup(block=block, unable=unable)) for block in blocks)
        return
    found: dict[str, UnmanagedAlarm] = {}
    for item in workspace.unmanaged({}, key):
        found |= {item.observed.id: item, item.id: item}
    active = {item.marks.address for item in observed if item.state is State.ACTIVE}
    missing = [block for block in blocks if block.id not in found and block.destination not in active]
    owners: Mapping[str, tuple[str, str]] = {}
    pushed: Collection[Address] = ()
    if missing:
        with workspace.reading_ledger() as ledger:
            pushed = pushed_addresses(ledger, {block.destination for block in missing}, workspace.target_texts)
        if isinstance(provider, TellsOwners):
            owners = provider.owners({block.id for block in missing})
    for block in blocks:
        shown = (found[block.id],) if block.id in found else ()
        yield block.destination, Lookup(shown, block, owners.get(block.id), is_over=block.destination in pushed)


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


def altered_imports(workspace: Workspace, plan: Plan, done: Collection[str]) -> Iterator[Diagnostic]:
    """The unmanaged alarms of a saved plan whose content has changed since. Raises ServiceError.

    ``done`` are the keys of its operations that are done already.
    """
    due = [change for change in plan.pending if takes_unmanaged(change)]
    due = [change for change in due if all(operation.key not in done for operation in change.operations)]
    now = _shown_unmanaged(workspace, due)
    for change in due:
        then = [found for found in change.before if is_unmanaged(found.marks)]
        if any(_content(found) != now.get((found.provider, found.id)) for found in then):
            summary = f"{change.address} has changed at the service since the plan"
            yield Diagnostic(summary, hint="make a new plan", address=str(change.address))


def has_imported(workspace: Workspace, plan: Plan) -> bool:
    """Whether none of the unmanaged alarms that a plan adopts is active any more. Raises ServiceError."""
    due = [change for change in plan.pending if takes_unmanaged(change)]
    now = _shown_unmanaged(workspace, due)
    return not any((found.provider, found.id) in now for change in due for found in change.before)


def _shown_unmanaged(workspace: Workspace, due: Iterable[Change]) -> Mapping[tuple[str, str], str]:
    """The content of each unmanaged alarm of the providers of these changes, by provider and id."""
    keys = {found.provider for change in due for found in change.before if is_unmanaged(found.marks)}
    return {
        (key, item.observed.id): _content(item.observed)
        for key in sorted(keys)
        for item in workspace.unmanaged({}, key)
    }


def _content(found: Observed) -> str:
    return canonical([found.identity, found.attributes, found.starts_at])
