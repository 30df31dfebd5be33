"""``reconciler destroy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    PathArgument,
    TargetOption,
    VarFileOption,
    VarOption,
)
from reconciler.cli.terminal import Format, Terminal

if TYPE_CHECKING:
    from reconciler.ledger.protocol import Ledger
    from reconciler.plan.plan import Plan

app = command_app()


@app.command(epilog=examples("reconciler destroy", "reconciler destroy --target aom_alarm.disk_full --auto-approve"))
def destroy(
    ctx: typer.Context,
    path: PathArgument = HERE,
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
    """Clear every alarm the stack owns.

    Recorded events stay: they are facts. Alarms of other stacks, or of nobody's, are not touched.
    """
    from reconciler.cli.execution import Request, check_approvable, execute
    from reconciler.cli.stack import addresses, check_targets, opened, run_options

    terminal = Terminal.of(ctx)
    targets = addresses(target)
    question = "Do you really want to clear all of these alarms?"
    options = run_options(parallelism, no_verify, deadline)
    request = Request("destroy", question, format, auto_approve, force, options)
    check_approvable(terminal, request)
    with opened(terminal, path, var, var_file, data=False) as workspace:

        def planned(ledger: Ledger) -> Plan:
            made = workspace.plan(workspace.ledger_view(ledger), targets=targets, destroy=True)
            check_targets(made, targets)
            return made

        return execute(terminal, workspace, request, planned)
