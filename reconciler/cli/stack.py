"""Opening the stack a command names, for every command that reads a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.app.plan import inputs
from reconciler.cli.terminal import Terminal
from reconciler.session.workspace import open_workspace

if TYPE_CHECKING:
    from reconciler.apply.lease import LeaseWait
    from reconciler.session.receiver import RunReceiver
    from reconciler.session.workspace import Workspace


@contextmanager
def opened(
    terminal: Terminal,
    path: Path,
    variables: Sequence[str] | None,
    files: Sequence[Path] | None,
    *,
    data: bool = True,
    receiver: RunReceiver | None = None,
    parallelism: int | None = None,
    lease_wait: LeaseWait | None = None,
) -> Iterator[Workspace]:
    """Open the stack at a path; its secrets are redacted from then on, and its warnings reported.

    Without ``data`` the queries of its expressions are not run: for commands that only clear. ``receiver`` runs with
    the command. ``lease_wait`` is how long to wait for the stack's lease. Raises DiagnosticError with all errors.
    """
    values = inputs(terminal.environ, variables, files, terminal.ledger)
    with open_workspace(path, values, data=data, receiver=receiver, parallelism=parallelism) as workspace:
        terminal.redact(workspace.stack.secrets)
        workspace.lease_wait = lease_wait
        if workspace.stack.warnings:
            terminal.report(workspace.stack.warnings)
        yield workspace
