"""Imports of an open stack: what the services show of the objects it adopts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from reconciler.core.address import Address
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.digest import canonical
from reconciler.core.imports import Import, Lookup
from reconciler.core.observed import Observed, State, UnmanagedAlarm, is_unmanaged
from reconciler.plan.duplicates import same_as_declared
from reconciler.plan.plan import Change, Plan
from reconciler.plan.planner import only_imports
from reconciler.providers.protocol import Importable, TellsOwners
from reconciler.session.last_pushes import pushed_addresses
from reconciler.session.planning import make_stack_plan

if TYPE_CHECKING:
    from reconciler.session.workspace import Workspace


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


def adoption(workspace: Workspace, unmanaged: Iterable[UnmanagedAlarm]) -> Plan:
    """The plan that adopts those of these alarms that the stack declares. Raises ServiceError."""
    lookups = {
        desired.address: Lookup(found) for desired, found in same_as_declared(workspace.stack.desired, unmanaged)
    }
    plan = make_stack_plan(workspace, workspace.read_ledger_view(), imports=lookups)
    return only_imports(plan, workspace.resource_types)


def altered_imports(workspace: Workspace, plan: Plan, done: Collection[str]) -> Iterator[Diagnostic]:
    """The unmanaged alarms of a saved plan whose content has changed since. Raises ServiceError.

    ``done`` are the keys of its operations that are done already.
    """
    due = [change for change in plan.pending if change.takes_unmanaged]
    due = [change for change in due if all(operation.key not in done for operation in change.operations)]
    now = _shown_unmanaged(workspace, due)
    for change in due:
        then = [found for found in change.before if is_unmanaged(found.marks)]
        if any(_content(found) != now.get((found.provider, found.id)) for found in then):
            summary = f"{change.address} has changed at the service since the plan"
            yield Diagnostic(summary, hint="make a new plan", address=str(change.address))


def has_imported(workspace: Workspace, plan: Plan) -> bool:
    """Whether none of the unmanaged alarms that a plan adopts is active any more. Raises ServiceError."""
    due = [change for change in plan.pending if change.takes_unmanaged]
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
