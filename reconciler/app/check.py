"""Checks of an open stack: from their declarations to a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from threading import Event

from reconciler.app.ledger import owner
from reconciler.apply.lease import Owner
from reconciler.checks.canary import CanarySession
from reconciler.checks.load import read_checks
from reconciler.checks.poll import CheckStatus
from reconciler.checks.result import Report
from reconciler.checks.run import CheckWatcher, run_checks
from reconciler.checks.spec import Check, UnresolvedCheck
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.exit_code import ExitCode
from reconciler.ledger.protocol import CHECK
from reconciler.session.deliveries import deliveries
from reconciler.session.session import open_session
from reconciler.session.workspace import Workspace


def run_stack_checks(
    workspace: Workspace, names: Sequence[str], stop: Event, progress: CheckWatcher, who: Owner | None = None
) -> Report:
    """Run the named checks, or all of them, until they end or ``stop`` is set.

    Canaries hold the stack's lease as ``who``, by default this process. Raises DiagnosticError if the checks are
    invalid, or if the stack has none: a gate without checks must not pass.
    """
    checks = stack_checks(workspace, names)
    if not checks:
        hint = "declare some under checks, or name the stack that has them: reconciler check DIR"
        raise DiagnosticError(Diagnostic(f"the stack {workspace.stack.name} declares no checks", hint=hint))
    _open_providers(workspace, checks)
    report = run_checks(
        workspace.stack.name,
        checks,
        workspace.query,
        lambda: canary_session(workspace, who or owner()),
        workspace.clock,
        stop,
        progress,
        partial(deliveries, workspace),
    )
    return replace(report, targets=workspace.targets)


def check_exit_code(counts: Mapping[CheckStatus, int]) -> ExitCode:
    """The exit code: a failed check has precedence over one whose query failed."""
    if counts.get(CheckStatus.INTERRUPTED):
        return ExitCode.INTERRUPTED
    if counts.get(CheckStatus.FAILED):
        return ExitCode.CHECK_FAILED
    return ExitCode.ERROR if counts.get(CheckStatus.UNKNOWN) else ExitCode.DONE


def stack_checks(workspace: Workspace, names: Sequence[str] = ()) -> list[Check | UnresolvedCheck]:
    """The checks of an open stack; runs the queries that their expressions need."""
    return read_checks(workspace.stack, workspace.registry.resource_types(), workspace.ask, names)


@contextmanager
def canary_session(workspace: Workspace, who: Owner) -> Iterator[CanarySession]:
    """A session for canaries, under the stack's lease. Raises LeaseHeldError."""
    # A separate event: if the lease is lost, the ledger refuses further writes, and the other checks continue.
    with open_session(workspace, who, Event(), command=CHECK) as session:
        yield CanarySession(session, workspace.refusals)


def _open_providers(workspace: Workspace, checks: Sequence[Check | UnresolvedCheck]) -> None:
    """Open the providers before the checks start, so that no check's time includes it.

    A provider that fails to open is reported by the check that needs it.
    """
    known = [check for check in checks if isinstance(check, Check)]
    keys = {check.query.provider for check in known if check.query is not None}
    keys |= {check.receiver for check in known if check.receiver is not None}
    for key in sorted(keys):
        with suppress(DiagnosticError):
            workspace.provider_pool.provider(workspace.stack.providers[key])
