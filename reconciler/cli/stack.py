"""Opening the stack a command names, for every command that reads a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.terminal import Terminal

if TYPE_CHECKING:
    from reconciler.apply.options import Options
    from reconciler.config.inputs import Inputs
    from reconciler.core.address import Address
    from reconciler.plan.plan import Plan
    from reconciler.session.workspace import Workspace


@contextmanager
def opened(
    terminal: Terminal,
    path: Path,
    variables: Sequence[str] | None,
    files: Sequence[Path] | None,
    *,
    data: bool = True,
) -> Iterator[Workspace]:
    """Open the stack at a path; its secrets are hidden from now on, its warnings told.

    Without ``data`` no query is made for the expressions of its resources: for commands that plan nothing but clears.
    Raises DiagnosticError with everything that is wrong with it.
    """
    from reconciler.session.workspace import open_workspace

    with open_workspace(path, inputs(terminal.environ, variables, files), data=data) as workspace:
        terminal.hide(workspace.stack.secrets)
        if workspace.stack.warnings:
            terminal.report(workspace.stack.warnings)
        yield workspace


def inputs(environ: Mapping[str, str], variables: Sequence[str] | None, files: Sequence[Path] | None) -> Inputs:
    """The inputs of ``--var`` and ``--var-file``, and of the environment; DiagnosticError for what can't be one."""
    from reconciler.config.inputs import Inputs
    from reconciler.core.diagnostic import Diagnostic, DiagnosticError
    from reconciler.session.workspace import read_source

    values: dict[str, str] = {}
    for number, text in enumerate(variables or (), 1):
        name, equals, value = text.partition("=")
        if not equals or not name:
            # What was given may be a secret: its place is named instead.
            summary = f"--var number {number} is not of the form NAME=VALUE"
            raise DiagnosticError(Diagnostic(summary, hint="write it like --var region=cn-north-4"))
        values[name] = value
    return Inputs(values, tuple(read_source(file) for file in files or ()), dict(environ))


def addresses(texts: Sequence[str] | None) -> list[Address]:
    """The addresses of ``--target``; DiagnosticError for each text that is none."""
    from reconciler.core.address import Address
    from reconciler.core.diagnostic import Diagnostic, DiagnosticError

    found, problems = [], []
    for text in texts or ():
        try:
            found.append(Address.parse(text))
        except ValueError as error:
            hint = "write it like aom_alarm.disk_full or 'aom_alarm.latency[\"ecs-1\"]', quoted for the shell"
            problems.append(Diagnostic(f"--target: {error}", hint=hint))
    if problems:
        raise DiagnosticError(*problems)
    return found


def run_options(parallelism: int | None, no_verify: bool, deadline: str | None) -> Options:
    """How a run is to be carried out; DiagnosticError for a deadline that is no duration."""
    from reconciler.apply.options import DEADLINE, Options
    from reconciler.core.diagnostic import Diagnostic, DiagnosticError
    from reconciler.core.duration import parse_duration

    try:
        longest = DEADLINE if deadline is None else parse_duration(deadline)
    except ValueError as error:
        raise DiagnosticError(Diagnostic(f"--deadline: {error}")) from None
    return Options(parallelism=parallelism, verify=not no_verify, deadline=longest)


def check_targets(plan: Plan, targets: Sequence[Address]) -> None:
    """Raise DiagnosticError for each target that the plan knows nothing of."""
    from reconciler.core.diagnostic import Diagnostic, DiagnosticError

    known = {change.address for change in plan.changes}
    missed = [target for target in targets if not any(target.covers(address) for address in known)]
    if missed:
        hint = "`reconciler plan` without --target shows the addresses there are"
        raise DiagnosticError(
            *(Diagnostic(f"--target {target}: this stack has no such object", hint=hint) for target in missed)
        )
