"""Settling: the outcome of operations that earlier runs left open; ``apply`` begins with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event

from reconciler.app.owner import owner
from reconciler.apply.lease import leased
from reconciler.apply.progress import Progress
from reconciler.apply.settle import Settlement, resolve_open_intents
from reconciler.ledger.protocol import Ledger
from reconciler.session.workspace import Workspace


def settle_stack(
    workspace: Workspace, stop: Event, working: Callable[[Event], AbstractContextManager[Progress]]
) -> Settlement:
    """Take the lease and settle what is open; a stack without a ledger has nothing open. Raises LeaseHeldError."""
    if not workspace.ledger_path.exists():
        return Settlement()
    ledger = workspace.open_ledger()
    with leased(ledger, owner(), workspace.clock, stop), working(stop) as progress:
        return settle_open(workspace, ledger, stop, progress)


def settle_open(workspace: Workspace, ledger: Ledger, stop: Event, progress: Progress) -> Settlement:
    """Settle what is open until ``stop`` is set; the caller holds the lease."""
    return resolve_open_intents(ledger, workspace.providers, workspace.clock, stop, progress)
