"""``reconciler plan``."""

from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.command import command_app, examples
from reconciler.cli.exit_code import ExitCode
from reconciler.cli.options import (
    HERE,
    ForceOption,
    FormatOption,
    PathArgument,
    TargetOption,
    VarFileOption,
    VarOption,
)
from reconciler.cli.terminal import Format, Terminal

app = command_app()


@app.command(
    epilog=examples(
        "reconciler plan",
        "reconciler plan stacks/checkout --out plan.json",
        "reconciler plan --target 'aom_alarm.latency[\"ecs-1\"]' --detailed-exitcode",
    )
)
def plan(
    ctx: typer.Context,
    path: PathArgument = HERE,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Save the plan, for `reconciler apply FILE`.", show_default=False),
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 where there are changes.")
    ] = False,
    refresh_only: Annotated[
        bool,
        typer.Option("--refresh-only", help="Show only drift: what moved at the service, not in the configuration."),
    ] = False,
    target: TargetOption = None,
    force: ForceOption = False,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Show what apply would do.

    Asks the services what is there, compares it with what the stack declares, and shows exactly what would be pushed
    and cleared. Changes nothing.
    """
    from reconciler.cli.plans import save, show_plan
    from reconciler.cli.stack import addresses, check_targets, opened
    from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Severity

    terminal = Terminal.of(ctx)
    targets = addresses(target)
    if refresh_only and out is not None:
        hint = "leave --refresh-only out to save what would be sent"
        raise DiagnosticError(Diagnostic("--refresh-only shows what moved: it leaves nothing to save", hint=hint))
    with opened(terminal, path, var, var_file) as workspace:
        made = workspace.plan(workspace.read_ledger_view(), targets=targets)
        check_targets(made, targets)
        if refresh_only:
            from reconciler.plan.drift import drift_only

            made = drift_only(made)
        show_plan(terminal, made, format)
        if made.problems:
            if format == Format.JSON:
                return ExitCode.ERROR  # its document has them
            raise DiagnosticError(*made.problems)
        if not force:
            refusals = workspace.refusals(made)
            terminal.report([refusal._replace(severity=Severity.WARNING) for refusal in refusals])
        if out is not None:
            save(terminal, made, out, path)
    return ExitCode.CHANGES if detailed_exitcode and made.pending else ExitCode.DONE
