"""Saved plans of an open stack: whether one may be applied now, or was already applied (rule 10)."""

from __future__ import annotations

from reconciler.core.diagnostic import Diagnostic
from reconciler.core.operation import Status
from reconciler.ledger.protocol import Ledger
from reconciler.plan.operations import forgeries
from reconciler.plan.plan import Plan
from reconciler.plan.stale import is_carried_out, staleness
from reconciler.plan.state import merge
from reconciler.session.import_blocks import altered_imports, has_imported
from reconciler.session.workspace import Workspace


def shows_effects(workspace: Workspace, plan: Plan, ledger: Ledger) -> bool:
    """Whether the services show every effect of a saved plan of this stack. Raises ServiceError."""
    if plan.stack != workspace.stack.name or any(forgeries(plan, workspace.resource_types)):
        return False
    here = workspace.targets
    if any(plan.targets.get(item.provider) != here.get(item.provider) for item in plan.operations):
        return False
    known = merge(workspace.stack.name, workspace.observe(), workspace.ledger_view(ledger))
    return is_carried_out(plan, known) and has_imported(workspace, plan)


def refusals(workspace: Workspace, plan: Plan, ledger: Ledger) -> tuple[Diagnostic, ...]:
    """Why a saved plan may not be applied now; empty if it may. Raises ServiceError."""
    name = workspace.stack.name
    if plan.stack != name:
        summary = f"the plan is for the stack {plan.stack}, and this is {name}"
        return (Diagnostic(summary, hint="apply it where it was made, or make a new plan"),)
    forged = tuple(forgeries(plan, workspace.resource_types))
    if forged:
        return forged
    known = merge(name, workspace.observe(), workspace.ledger_view(ledger))
    # Read last: an earlier run of this plan that lost its lease may journal that it did what is known here.
    statuses = ledger.statuses([operation.key for operation in plan.operations])
    done = [key for key, status in statuses.items() if status is Status.DONE]
    moved = staleness(
        plan,
        workspace.stack.desired,
        known,
        workspace.clock.now(),
        providers=workspace.provider_digests,
        targets=workspace.targets,
        moves=workspace.stack.moves,
        done=done,
    )
    return (*moved, *altered_imports(workspace, plan, done))
