"""Planning a stack: query its services, compare, and return the plan with its warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from reconciler.core.address import Address
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.observed import Observed
from reconciler.ledger.protocol import LedgerView
from reconciler.plan.guard import keys_to_clear, provenance_warning
from reconciler.plan.plan import ALL, Change, Plan, Selection
from reconciler.plan.planner import make_plan
from reconciler.plan.state import KnownState, absent_addresses, altered_keys, merge
from reconciler.session.renamed import renamed_warnings

if TYPE_CHECKING:
    from reconciler.core.imports import Lookup
    from reconciler.session.workspace import Workspace


def make_stack_plan(
    workspace: Workspace,
    ledger: LedgerView,
    *,
    selection: Selection = ALL,
    destroy: bool = False,
    observed: Sequence[Observed] | None = None,
    imports: Mapping[Address, Lookup] | None = None,
) -> Plan:
    """Query, compare, and plan. Raises ServiceError if a service cannot be queried.

    ``observed`` is the result of ``observe``, if it was called already; ``imports`` is what is adopted, by default what
    the ``import`` blocks name. A stack opened without data can only be destroyed, since the resources it leaves out
    would be cleared.
    """
    if workspace.stack.unresolved and not destroy:
        raise ValueError(f"opened without data, and resources need {', '.join(sorted(workspace.stack.unresolved))}")
    if observed is None:
        observed = workspace.observe()
    known = merge(workspace.stack.name, observed, ledger)
    ledger = ledger._replace(shown=_shown(workspace, altered_keys(workspace.stack.desired, known)))
    history = () if destroy else _history(workspace, known)
    if imports is None and workspace.stack.imports and not destroy:
        from reconciler.session.import_blocks import find_imports

        imports = find_imports(workspace, observed)
    plan = make_plan(
        workspace.stack.name,
        workspace.stack.desired,
        observed,
        workspace.clock.now(),
        types=workspace.resource_types,
        ledger=ledger,
        history=history,
        config_digest=workspace.stack.digest,
        providers=workspace.provider_digests,
        places=workspace.targets,
        targets=selection.targets,
        exclude=selection.exclude,
        replace=selection.replace,
        moves=workspace.stack.moves,
        removed=workspace.stack.removed,
        imports=imports or {},
        destroy=destroy,
    )
    if workspace.own_ledger is not None:
        renamed = renamed_warnings(workspace.own_ledger, workspace.stack.root, plan.planned_at)
        plan = plan._replace(warnings=(*plan.warnings, *renamed))
    unknown = _provenance_warning(workspace, plan)
    plan = plan._replace(warnings=(*plan.warnings, unknown)) if unknown else plan
    kept = [change for change in plan.changes if change.action.clears and _is_protected(workspace, change.address)]
    return plan._replace(problems=(*plan.problems, *map(_protected, kept))) if kept else plan


def _shown(workspace: Workspace, keys: Sequence[str]) -> Mapping[str, str]:
    """What the services showed of these pushes when they were verified."""
    if not keys:
        return {}
    with workspace.reading_ledger() as ledger:
        return ledger.shown(keys)


def _provenance_warning(workspace: Workspace, plan: Plan) -> Diagnostic | None:
    keys = keys_to_clear(plan)
    if not keys:
        return None
    with workspace.reading_ledger() as ledger:
        known = ledger.statuses(keys)
        open_keys = {entry.operation.key for entry in ledger.open_intents()}
    return provenance_warning(len(keys), sum(key not in known and key not in open_keys for key in keys))


def _is_protected(workspace: Workspace, address: Address) -> bool:
    return any(resource.covers(address) for resource in workspace.stack.kept)


def _history(workspace: Workspace, known: KnownState) -> list[Observed]:
    """The ended alarms at addresses without the alarm that should fire."""
    by_provider: dict[str, list[Address]] = {}
    absent = set(absent_addresses(workspace.stack.desired, known))
    for desired in workspace.stack.desired:
        if desired.address in absent:
            by_provider.setdefault(desired.provider, []).append(desired.address)
    ended: list[Observed] = []
    for key, addresses in by_provider.items():
        from reconciler.providers.history import InfersHistory
        from reconciler.session.last_pushes import last_pushes

        provider = workspace.providers[key]
        ended += workspace.read(key, partial(provider.history, workspace.stack.name, addresses))
        if isinstance(provider, InfersHistory):
            with workspace.reading_ledger() as ledger:
                pushes = last_pushes(ledger, set(addresses), workspace.target_texts)
            told = {found.marks.key for found in ended}
            untold = [push for push in pushes if push.operation.key not in told]
            ended += workspace.read(key, partial(provider.infer_history, untold)) if untold else ()
    return ended


def _protected(change: Change) -> Diagnostic:
    return Diagnostic(
        f"{change.address} may have lifecycle.prevent_clear, and this plan would {change.action} it",
        hint="take prevent_clear out of its lifecycle",
        address=str(change.address),
    )
