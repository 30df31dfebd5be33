"""Checking: from a stack to the report of its checks, with progress for whoever watches."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

from reconciler.app.owner import owner
from reconciler.checks.canary import CanarySession
from reconciler.checks.check import Check, UnresolvedCheck, read_checks
from reconciler.checks.result import CheckResult, Report
from reconciler.checks.run import Progress, run_checks
from reconciler.cli.signals import stop_on_signal
from reconciler.cli.stack import opened
from reconciler.cli.terminal import Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.ledger.protocol import CHECK
from reconciler.session.session import open_session
from reconciler.session.workspace import Workspace
from reconciler.views.junit.check import check_junit
from reconciler.views.printable import printable
from reconciler.views.text.line import Style, line

INTERRUPTED = "Interrupted: canaries are cleared, then the checks end. Ctrl-C again exits at once."
_log = logging.getLogger("reconciler.checks")


def run(
    terminal: Terminal,
    path: Path,
    names: Sequence[str],
    variables: Sequence[str] | None,
    files: Sequence[Path] | None,
) -> Report:
    """Run the checks named, or all; DiagnosticError for what is wrong with the stack or its checks, and for a stack
    without any: a gate that looks at nothing lets nothing pass.
    """
    with opened(terminal, path, variables, files, data=False) as workspace:
        checks = stack_checks(workspace, names)
        if not checks:
            hint = "declare some under checks, or name the stack that has them: reconciler check DIR"
            raise DiagnosticError(Diagnostic(f"the stack {workspace.stack.name} has no checks to pass", hint=hint))
        _open_providers(workspace, checks)
        stop = Event()
        told = line((INTERRUPTED, Style.WARNING))
        with stop_on_signal(stop, lambda: terminal.tell([told])), _watching(terminal) as progress:
            return run_checks(
                workspace.stack.name,
                checks,
                workspace.query,
                lambda: canary_session(workspace),
                workspace.clock,
                stop,
                progress,
            )


def _open_providers(workspace: Workspace, checks: Sequence[Check | UnresolvedCheck]) -> None:
    """Open what is going to be asked, so that no check is told to have taken the time for it.

    One that can't be opened is told by the check that needs it.
    """
    keys = {check.query.provider for check in checks if isinstance(check, Check) and check.query is not None}
    for key in sorted(keys):
        with suppress(DiagnosticError):
            workspace.connections.provider(workspace.stack.providers[key])


def stack_checks(workspace: Workspace, names: Sequence[str] = ()) -> list[Check | UnresolvedCheck]:
    """The checks of an open stack; queries that their own expressions need are made."""

    return read_checks(workspace.stack, workspace.registry.resource_types(), workspace.ask, names)


def write_junit(terminal: Terminal, report: Report, file: Path) -> None:
    """Write the report for a CI: whole, or not at all."""
    text = check_junit(report, terminal.redactor)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def canary_session(workspace: Workspace) -> Iterator[CanarySession]:
    """A session for canaries, under the stack's lease. Raises LeaseHeldError."""
    # An event of its own: if the lease is lost the ledger refuses further writes, and the other checks continue.
    with open_session(workspace, owner(), Event(), command=CHECK) as session:
        yield CanarySession(session, workspace.refusals)


@contextmanager
def _watching(terminal: Terminal) -> Iterator[Progress]:
    if not terminal.watched:
        yield CheckLogProgress()
        return
    from reconciler.cli.board import CheckProgress

    with CheckProgress(terminal) as board:
        yield board


class CheckLogProgress:
    """Tells a run to the log."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reasons: dict[str, str] = {}

    def started(self, name: str, about: str) -> None:
        _log.info("check %s: looking at %s", name, about)

    def polled(self, name: str, reason: str) -> None:
        with self._lock:
            if self._reasons.get(name) == reason:
                return
            self._reasons[name] = reason
        _log.info("check %s: %s", name, printable(reason))

    def ended(self, result: CheckResult) -> None:
        _log.info("check %s: %s: %s", result.name, result.verdict, printable(result.found.reason))
