"""The wait for the lease on a stack, as ``--lock-timeout`` gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.app.plan import lock_timeout_ms
from reconciler.apply.lease import LeaseWait
from reconciler.cli.terminal import Terminal
from reconciler.core.text import printable
from reconciler.views.text.line import line

if TYPE_CHECKING:
    from reconciler.ledger.protocol import Holder


def lease_wait(terminal: Terminal, lock_timeout: str | None) -> LeaseWait:
    """How long to wait for the lease; each holder is named on the terminal. Raises DiagnosticError."""
    return LeaseWait(lock_timeout_ms(lock_timeout), lambda holder: _tell_waiting(terminal, holder))


def _tell_waiting(terminal: Terminal, holder: Holder) -> None:
    terminal.message([line(printable(f"Waiting for the lease on this stack: held by {holder}."))])
