"""The ledger that a command of ledgers names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.app.ledger import Asked, locate
from reconciler.cli.terminal import Terminal
from reconciler.core.ledger_url import secrets_of

if TYPE_CHECKING:
    from reconciler.ledger.location import Location


def find_ledger(terminal: Terminal, where: str, stack: str | None) -> Location:
    """The ledger that a command names. Raises DiagnosticError if there is none, or more than one."""
    terminal.redact(secrets_of(where))
    return locate(Asked(where, stack, terminal.ledger), terminal.environ)
