"""``reconciler apply``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.command import command_app, examples
from reconciler.cli.exit_code import ExitCode
from reconciler.cli.options import (
    HERE,
    AutoApproveOption,
    DeadlineOption,
    ForceOption,
    FormatOption,
    NoVerifyOption,
    ParallelismOption,
    TargetOption,
    VarFileOption,
    VarOption,
)
from reconciler.cli.terminal import Format, Terminal

if TYPE_CHECKING:
    from reconciler.ledger.protocol import Ledger
    from reconciler.plan.plan import Plan
    from reconciler.session.workspace import Workspace

app = command_app()


@app.command(
    epilog=examples(
        "reconciler apply",
        "reconciler apply stacks/checkout --auto-approve",
        "reconciler apply plan.json",
        "reconciler apply stacks/checkout plan.json",
    )
)
def apply(
    ctx: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|FILE",
            help="The stack: a directory of *.yaml files, or one file; or a saved plan of the stack here.  "
            "[default: here]",
            show_default=False,
        ),
    ] = HERE,
    saved: Annotated[
        Path | None,
        typer.Argument(metavar="PLAN", help="A plan saved with `reconciler plan --out FILE`.", show_default=False),
    ] = None,
    auto_approve: AutoApproveOption = False,
    parallelism: ParallelismOption = None,
    no_verify: NoVerifyOption = False,
    deadline: DeadlineOption = None,
    target: TargetOption = None,
    force: ForceOption = False,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Push and clear what the plan shows.

    Plans, shows the plan, asks, and carries it out; a saved plan is carried out as it was shown, or refused where the
    stack or the service has moved on. Interrupt it at any time: running it again continues, and sends nothing twice.
    """
    from reconciler.cli.execution import Request, check_approvable, execute
    from reconciler.cli.plans import load
    from reconciler.cli.stack import addresses, check_targets, opened, run_options
    from reconciler.core.diagnostic import Diagnostic, DiagnosticError

    terminal = Terminal.of(ctx)
    targets = addresses(target)
    if saved is None and not path.is_dir() and path.suffix not in (".yaml", ".yml"):
        path, saved = HERE, path
    approved = load(saved) if saved is not None else None
    if approved is not None and targets:
        hint = "leave --target out, or make a plan with it: reconciler plan --target ... --out FILE"
        raise DiagnosticError(Diagnostic("a saved plan is applied as a whole", hint=hint))
    question = "Do you want to perform these actions?"
    options = run_options(parallelism, no_verify, deadline)
    request = Request("apply", question, format, auto_approve or approved is not None, force, options)
    check_approvable(terminal, request)
    with opened(terminal, path, var, var_file) as workspace:

        def planned(ledger: Ledger) -> Plan | None:
            if approved is not None:
                return _still_due(terminal, workspace, ledger, approved, format)
            made = workspace.plan(workspace.ledger_view(ledger), targets=targets)
            check_targets(made, targets)
            return made

        return execute(terminal, workspace, request, planned)


def _still_due(terminal: Terminal, workspace: Workspace, ledger: Ledger, plan: Plan, format: Format) -> Plan | None:
    """A saved plan, if it may be applied; None, and said so, where nothing of it is left to do."""
    from reconciler.core.diagnostic import DiagnosticError
    from reconciler.views.json.document import document
    from reconciler.views.text.line import line

    if plan.stack == workspace.stack.name and _is_applied(plan, ledger):
        said = "Already applied: every operation of this plan is done. Nothing was sent."
        terminal.show(
            format,
            text=lambda: [line(said)],
            document=lambda: document(run=None, complete=True, summary=said, plan_id=plan.id),
            markdown=lambda: f"{said}\n",
        )
        return None
    moved = workspace.staleness(plan, ledger)
    if moved:
        raise DiagnosticError(*moved)
    return plan


def _is_applied(plan: Plan, ledger: Ledger) -> bool:
    """Whether a saved plan has nothing left to do.

    A clear that is due only beside a second alarm has an outcome only where there was one: of a plan with such clears
    a run must have come to its end.
    """
    from reconciler.core.operation import Status
    from reconciler.ledger.protocol import RunState

    certain = [operation.key for operation in plan.operations if not operation.unless_refreshed]
    statuses = ledger.statuses(certain)
    if not certain or any(statuses.get(key) is not Status.DONE for key in certain):
        return False
    conditional = any(operation.unless_refreshed for operation in plan.operations)
    return not conditional or any(run.plan_id == plan.id and run.state is RunState.DONE for run in ledger.runs())
