"""``reconciler plan``."""

from os import environ
from pathlib import Path
from typing import Annotated

import typer

from reconciler.app.plan import plan_stack, selected
from reconciler.app.trigger import WebhookFormat
from reconciler.cli.command import ExitCode, command_app, examples
from reconciler.cli.options import (
    HERE,
    CompactOption,
    ExcludeOption,
    ForceOption,
    FormatOption,
    FullOption,
    PathArgument,
    ReplaceOption,
    TargetOption,
    VarFileOption,
    VarOption,
    next_command,
)
from reconciler.cli.plan_output import show_plan
from reconciler.cli.reporter import MetricsOption, NotifyFormatOption, NotifyOnOption, NotifyOption, Outlets, reporting
from reconciler.cli.stack import opened
from reconciler.cli.terminal import Format, Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Severity
from reconciler.core.duration import format_instant
from reconciler.core.text import printable
from reconciler.plan.plan import Plan, drift_only
from reconciler.views.phrases.plan import drift_summary
from reconciler.views.text.line import Style, line
from reconciler.views.text.plan import plan_lines

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
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 if there are changes.")
    ] = False,
    refresh_only: Annotated[
        bool,
        typer.Option("--refresh-only", help="Show only drift: what changed at the service, not in the configuration."),
    ] = False,
    sign: Annotated[
        bool,
        typer.Option("--sign", help="Sign the saved plan with the key in RECONCILER_PLAN_KEY, for `apply --verify`."),
    ] = False,
    target: TargetOption = None,
    exclude: ExcludeOption = None,
    replace: ReplaceOption = None,
    force: ForceOption = False,
    notify: NotifyOption = None,
    notify_format: NotifyFormatOption = WebhookFormat.JSON,
    notify_on: NotifyOnOption = None,
    metrics: MetricsOption = None,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
    compact: CompactOption = False,
    full: FullOption = False,  # noqa: ARG001  # its callback tells the terminal
) -> ExitCode:
    """Show what apply would do.

    Queries the services, compares the answers with what the stack declares, and shows exactly what would be pushed
    and cleared. Changes nothing.
    """
    terminal = Terminal.of(ctx)
    selection = selected(target, exclude, replace)
    if refresh_only and out is not None:
        hint = "omit --refresh-only to save what would be sent"
        raise DiagnosticError(Diagnostic("--refresh-only shows drift: there is no plan to save", hint=hint))
    if sign and out is None:
        raise DiagnosticError(Diagnostic("--sign signs a saved plan", hint="add --out FILE"))
    key = _signing_key() if sign else None
    terminal.check_file(out)
    with (
        reporting(terminal, "plan", path, Outlets(notify, notify_format, notify_on, metrics)) as reporter,
        opened(terminal, path, var, var_file) as workspace,
    ):
        reporter.opened(workspace)
        made = whole = plan_stack(workspace, selection)
        told = drift_summary(made) if refresh_only else None
        if refresh_only:
            made = drift_only(made)
        if out == Path("-"):
            # Standard output has the plan file.
            terminal.message(plan_lines(made, full=terminal.full, compact=compact))
        else:
            show_plan(terminal, made, format, told, compact=compact)
        reporter.plan(whole, workspace)
        if made.problems:
            if format != Format.JSON:
                terminal.report(made.problems)
            return ExitCode.ERROR  # they were in the plan shown
        if not force:
            refusals = workspace.refusals(made)
            terminal.report([refusal._replace(severity=Severity.WARNING) for refusal in refusals])
        if out is not None:
            save(terminal, made, out, path, var, var_file, key)
    return ExitCode.CHANGES if detailed_exitcode and made.pending else ExitCode.DONE


def save(
    terminal: Terminal,
    plan: Plan,
    path: Path,
    stack: Path,
    var: list[str] | None,
    var_file: list[Path] | None,
    key: str | None = None,
) -> None:
    """Write a plan file, signed if there is a key; say how to apply it to the stack with the same variables."""
    from reconciler.app.planfiles import plan_file

    terminal.write_file(path, plan_file(plan, key))
    if path == Path("-") or not path.is_file():
        return  # a pipe or a device, not a file to apply later
    until = f", until {format_instant(plan.send_by)}" if plan.send_by is not None else ""
    command = next_command("apply --verify" if key else "apply", stack, path, var=var, var_file=var_file)
    terminal.message([line(f"Saved. To apply exactly this plan{until}: ", (printable(command), Style.BOLD))])


def _signing_key() -> str:
    from reconciler.plan.saved import signing_key

    return signing_key(environ)
