"""``reconciler apply``."""

from __future__ import annotations

from os import environ
from pathlib import Path
from typing import Annotated

import typer

from reconciler.app.apply import ApplyRequest, apply_saved, apply_stack, run_options
from reconciler.app.plan import selected
from reconciler.app.planfiles import load_plan
from reconciler.app.trigger import WebhookFormat
from reconciler.cli.command import ExitCode, command_app, examples
from reconciler.cli.lock_timeout import lease_wait
from reconciler.cli.operator import TerminalOperator, show_result
from reconciler.cli.options import (
    HERE,
    AutoApproveOption,
    DeadlineOption,
    ExcludeOption,
    ForceOption,
    FormatOption,
    FullOption,
    LockTimeoutOption,
    NoVerifyOption,
    ParallelismOption,
    ReplaceOption,
    TargetOption,
    VarFileOption,
    VarOption,
)
from reconciler.cli.reporter import MetricsOption, NotifyFormatOption, NotifyOnOption, NotifyOption, Outlets, reporting
from reconciler.cli.stack import opened
from reconciler.cli.terminal import Format, Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.plan.saved import signing_key

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
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Apply a saved plan only if `plan --sign` signed it with the key in RECONCILER_PLAN_KEY."
        ),
    ] = False,
    auto_approve: AutoApproveOption = False,
    parallelism: ParallelismOption = None,
    no_verify: NoVerifyOption = False,
    deadline: DeadlineOption = None,
    lock_timeout: LockTimeoutOption = None,
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
    full: FullOption = False,  # noqa: ARG001  # its callback tells the terminal
) -> ExitCode:
    """Push and clear what the plan shows.

    Plans, shows the plan, asks for approval, and carries it out; a saved plan is carried out as it was shown, or
    refused if the stack or the service has changed since. Interrupt it at any time: running it again continues, and
    sends nothing twice.
    """
    terminal = Terminal.of(ctx)
    selection = selected(target, exclude, replace)
    if saved is None and not path.is_dir() and path.suffix not in (".yaml", ".yml"):
        path, saved = HERE, path
    if verify and saved is None:
        raise DiagnosticError(Diagnostic("--verify verifies the signature of a saved plan", hint="name its file"))
    key = signing_key(environ) if verify else None
    approved = load_plan(saved, key) if saved is not None else None
    if approved is not None and any(selection):
        hint = "omit --target, --exclude and --replace, or make a plan with them: reconciler plan ... --out FILE"
        raise DiagnosticError(Diagnostic("a saved plan is applied as a whole", hint=hint))
    request = ApplyRequest("apply", run_options(parallelism, no_verify, deadline), force)
    question = "Do you want to perform these actions?"
    operator = TerminalOperator(terminal, question, format, auto_approve=auto_approve or approved is not None)
    with (
        reporting(terminal, "apply", path, Outlets(notify, notify_format, notify_on, metrics)) as reporter,
        opened(
            terminal, path, var, var_file, parallelism=parallelism, lease_wait=lease_wait(terminal, lock_timeout)
        ) as workspace,
    ):
        reporter.opened(workspace)
        if approved is not None:
            result = apply_saved(workspace, request, operator, approved)
        else:
            result = apply_stack(workspace, request, operator, selection)
        return show_result(terminal, result, format, reporter, approved)
