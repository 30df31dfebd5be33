"""Settling: gives the operations that earlier runs left open an outcome; ``apply`` starts with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event

from reconciler.app.ledger import owner
from reconciler.apply.lease import leased
from reconciler.apply.options import Progress
from reconciler.apply.settle import Settlement, open_elsewhere, resolve_open_intents
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.target import Target
from reconciler.ledger.protocol import Holder, Ledger
from reconciler.session.workspace import Workspace


def settle_stack(
    workspace: Workspace, stop: Event, working: Callable[[Event], AbstractContextManager[Progress]]
) -> Settlement:
    """Take the lease and settle open operations; without a ledger, none are open. Raises LeaseHeldError."""
    path = workspace.ledger_location.path
    if path is not None and not path.exists():
        return Settlement()
    ledger = workspace.open_ledger()
    with (
        leased(ledger, owner(), workspace.clock, stop, workspace.lease_wait) as holder,
        working(stop) as progress,
    ):
        _check_targets(workspace, ledger)
        return settle_open(workspace, ledger, holder, stop, progress)


def settle_open(
    workspace: Workspace,
    ledger: Ledger,
    holder: Holder,
    stop: Event,
    progress: Progress,
    *,
    wait_for_events: bool = True,
    destroy: bool = False,
) -> Settlement:
    """Settle open operations until ``stop`` is set, before an apply or a ``destroy``. Raises LeaseLostError."""
    left = {entry.operation.address for entry in ledger.open_intents()}
    declared = workspace.stack.desired if left and not destroy else ()
    return resolve_open_intents(
        ledger,
        holder,
        workspace.providers,
        workspace.clock,
        stop,
        progress,
        targets=workspace.target_texts,
        wait_for_events=wait_for_events,
        wanted={item.address: item.digest for item in declared if item.firing and item.address in left},
    )


def _check_targets(workspace: Workspace, ledger: Ledger) -> None:
    """Raise DiagnosticError if open operations were sent to another target than the stack has now (rule 14)."""
    elsewhere = open_elsewhere(ledger.open_intents(), workspace.target_texts)
    if not elsewhere:
        return
    entry = elsewhere[0]
    here = workspace.targets[entry.operation.provider].label
    there = Target.parse(entry.target or "").label
    raise DiagnosticError(
        Diagnostic(
            f"{len(elsewhere):,} open operations were begun at another target: provider {entry.operation.provider}"
            f" pointed at {there}, and now points at {here}",
            hint="settle them with the configuration and variables of the run that began them; nothing was done",
        )
    )
