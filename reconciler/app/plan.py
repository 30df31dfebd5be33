"""Planning an open stack without changing it, and the inputs that commands share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from reconciler.apply.options import DEADLINE, Options
from reconciler.config.inputs import Inputs
from reconciler.core.address import Address
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import parse_duration
from reconciler.plan.plan import Plan
from reconciler.session.workspace import Workspace, read_source


def plan_stack(workspace: Workspace, targets: Sequence[Address] = ()) -> Plan:
    """What apply would do now. Raises DiagnosticError if the stack has no object at a target, and ServiceError."""
    plan = workspace.plan(workspace.read_ledger_view(), targets=targets)
    check_targets(plan, targets)
    return plan


def check_targets(plan: Plan, targets: Sequence[Address]) -> None:
    """Raise DiagnosticError for each target that the plan does not know."""
    known = {change.address for change in plan.changes}
    missed = [target for target in targets if not any(target.covers(address) for address in known)]
    if missed:
        hint = "`reconciler plan` without --target shows the addresses there are"
        raise DiagnosticError(
            *(Diagnostic(f"--target {target}: this stack has no such object", hint=hint) for target in missed)
        )


def inputs(environ: Mapping[str, str], variables: Sequence[str] | None, files: Sequence[Path] | None) -> Inputs:
    """The inputs of ``--var``, ``--var-file`` and the environment. Raises DiagnosticError for an invalid one."""
    values: dict[str, str] = {}
    for number, text in enumerate(variables or (), 1):
        name, equals, value = text.partition("=")
        if not equals or not name:
            # The text may be a secret: name its place instead.
            summary = f"--var number {number} is not of the form NAME=VALUE"
            raise DiagnosticError(Diagnostic(summary, hint="write it like --var region=cn-north-4"))
        values[name] = value
    return Inputs(values, tuple(read_source(file) for file in files or ()), dict(environ))


def addresses(texts: Sequence[str] | None, option: str = "--target") -> list[Address]:
    """The addresses that an option names. Raises DiagnosticError for each text that is not one."""
    found, problems = [], []
    for text in texts or ():
        try:
            found.append(Address.parse(text))
        except ValueError as error:
            hint = "write it like aom_alarm.disk_full or 'aom_alarm.latency[\"ecs-1\"]', quoted for the shell"
            problems.append(Diagnostic(f"{option}: {error}", hint=hint))
    if problems:
        raise DiagnosticError(*problems)
    return found


def run_options(parallelism: int | None, no_verify: bool, deadline: str | None) -> Options:
    """How to carry out a plan. Raises DiagnosticError if the deadline is not a duration."""
    try:
        longest = DEADLINE if deadline is None else parse_duration(deadline)
    except ValueError as error:
        raise DiagnosticError(Diagnostic(f"--deadline: {error}")) from None
    return Options(parallelism=parallelism, verify=not no_verify, deadline=longest)
