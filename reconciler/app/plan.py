"""Planning an open stack without changing it, and the inputs that commands share."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from reconciler.config.stack import Inputs
from reconciler.core.address import Address
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Severity, did_you_mean
from reconciler.core.duration import parse_duration
from reconciler.core.ledger_url import VARIABLE, scheme
from reconciler.ledger.protocol import LedgerView
from reconciler.plan.plan import ALL, Plan, Selection
from reconciler.session.duplicates import with_duplicates
from reconciler.session.planning import make_stack_plan
from reconciler.session.stack_source import read_source
from reconciler.session.workspace import Workspace


def plan_stack(workspace: Workspace, selection: Selection = ALL, *, only_raised: bool = False) -> Plan:
    """What apply would do now. Raises ServiceError, and DiagnosticError if the stack has no object at a selected
    address.

    ``only_raised`` limits the warning about unmanaged duplicates, for which each provider is queried once more, to
    alarms that the plan raises.
    """
    return plan_view(workspace, workspace.read_ledger_view(), selection, only_raised=only_raised)


def plan_view(
    workspace: Workspace,
    view: LedgerView,
    selection: Selection = ALL,
    *,
    destroy: bool = False,
    only_raised: bool = False,
) -> Plan:
    """Plan with what the ledger knows. The dependencies of a target are planned too, with a warning."""
    desired = workspace.stack.desired
    brought = [] if destroy else dependencies(desired, selection.targets)
    chosen = selection._replace(targets=(*selection.targets, *brought))
    observed = workspace.observe()
    plan = make_stack_plan(workspace, view, selection=chosen, destroy=destroy, observed=observed)
    if not destroy:
        plan = with_duplicates(workspace, plan, only_raised=only_raised)
    declared = [item.address for item in desired]
    known = {change.address for change in plan.changes}
    check_known("--target", selection.targets, known, declared)
    check_known("--replace", selection.replace, known, declared)
    check_known("--exclude", selection.exclude, {*declared, *(found.marks.address for found in observed)}, declared)
    pending = {change.address for change in plan.pending}
    named = [address for address in brought if any(address.covers(one) for one in pending)]
    if not named:
        return plan
    told = f"--target includes {', '.join(map(str, named))}, which the targets depend on"
    return plan._replace(warnings=(*plan.warnings, Diagnostic(told, severity=Severity.WARNING)))


def dependencies(desired: Sequence[Desired], targets: Sequence[Address]) -> list[Address]:
    """The direct and indirect dependencies of the objects at these targets that no target covers."""
    found: list[Address] = []
    waiting = list(targets)
    while waiting:
        target = waiting.pop()
        for item in desired:
            if not target.covers(item.address):
                continue
            for address in item.depends_on:
                if not any(known.covers(address) for known in (*targets, *found)):
                    found.append(address)
                    waiting.append(address)
    return found


def check_known(
    option: str, addresses: Sequence[Address], known: Collection[Address], declared: Sequence[Address]
) -> None:
    """Raise DiagnosticError for each address of an option without a known object; a hint names a similar one."""
    missed = [address for address in addresses if not any(address.covers(one) for one in known)]
    if missed:
        hint = f"`reconciler plan` without {option} shows the addresses there are"
        names = dict.fromkeys(str(name) for address in declared for name in (address._replace(key=None), address))
        raise DiagnosticError(
            *(
                Diagnostic(
                    f"{option} {address}: the stack has no such resource",
                    hint=did_you_mean(str(address), names) or hint,
                )
                for address in missed
            )
        )


def selected(targets: Sequence[str] | None, exclude: Sequence[str] | None, replace: Sequence[str] | None) -> Selection:
    """The addresses that options name. Raises DiagnosticError for each invalid one."""
    return Selection(
        tuple(addresses(targets)), tuple(addresses(exclude, "--exclude")), tuple(addresses(replace, "--replace"))
    )


def inputs(
    environ: Mapping[str, str],
    variables: Sequence[str] | None,
    files: Sequence[Path] | None,
    ledger: str | None = None,
) -> Inputs:
    """The inputs of ``--var``, ``--var-file``, ``--ledger`` and the environment.

    A ledger directory is relative to the current directory. Raises DiagnosticError for an invalid one.
    """
    values: dict[str, str] = {}
    for number, text in enumerate(variables or (), 1):
        name, equals, value = text.partition("=")
        if not equals or not name:
            # The text may be a secret: name its position instead.
            summary = f"--var number {number} is not of the form NAME=VALUE"
            raise DiagnosticError(Diagnostic(summary, hint="write it like --var region=cn-north-4"))
        values[name] = value
    place = ledger or environ.get(VARIABLE) or None
    if place is not None and scheme(place) is None:
        place = str(Path(place).absolute())
    return Inputs(values, tuple(read_source(file, "--var-file") for file in files or ()), dict(environ), place)


def addresses(texts: Sequence[str] | None, option: str = "--target") -> list[Address]:
    """The addresses that an option names. Raises DiagnosticError for each invalid one."""
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


def lock_timeout_ms(text: str | None) -> int:
    """How long (ms) to wait for the stack's lease. Raises DiagnosticError if the text is not a duration."""
    try:
        return 0 if text is None else parse_duration(text)
    except ValueError as error:
        raise DiagnosticError(Diagnostic(f"--lock-timeout: {error}")) from None
