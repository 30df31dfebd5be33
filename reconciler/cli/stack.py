"""Opening the stack a command names, for every command that reads a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.app.ledger import Asked, locate
from reconciler.app.plan import inputs
from reconciler.cli.terminal import Terminal
from reconciler.core.ledger_url import secrets_of
from reconciler.session.workspace import open_workspace

if TYPE_CHECKING:
    from reconciler.ledger.location import Location
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
) -> Iterator[Workspace]:
    """Open the stack at a path; its secrets are redacted from now on, its warnings reported.

    Without ``data`` the queries of its expressions are not run: for commands that plan no more than clears.
    ``receiver`` is one that runs with the command. Raises DiagnosticError with everything that is wrong with it.
    """
    values = inputs(terminal.environ, variables, files, terminal.ledger)
    with open_workspace(path, values, data=data, receiver=receiver, parallelism=parallelism) as workspace:
        terminal.redact(workspace.stack.secrets)
        if workspace.stack.warnings:
            terminal.report(workspace.stack.warnings)
        yield workspace


def located(terminal: Terminal, where: str, stack: str | None) -> Location:
    """The ledger that a command means. Raises DiagnosticError where there is none, or more than one."""
    terminal.redact(secrets_of(where))
    return locate(Asked(where, stack, terminal.ledger), terminal.environ)
