"""``reconciler destroy``."""

from __future__ import annotations

import typer

from reconciler.app.apply import ApplyRequest, destroy_stack, run_options
from reconciler.app.plan import selected
from reconciler.app.trigger import WebhookFormat
from reconciler.apply.result import Result
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
    PathArgument,
    TargetOption,
    VarFileOption,
    VarOption,
)
from reconciler.cli.reporter import MetricsOption, NotifyFormatOption, NotifyOnOption, NotifyOption, Outlets, reporting
from reconciler.cli.stack import opened
from reconciler.cli.terminal import Format, Terminal
from reconciler.session.other_stacks import other_stacks

app = command_app()


@app.command(epilog=examples("reconciler destroy", "reconciler destroy --target aom_alarm.disk_full --auto-approve"))
def destroy(
    ctx: typer.Context,
    path: PathArgument = HERE,
    auto_approve: AutoApproveOption = False,
    parallelism: ParallelismOption = None,
    no_verify: NoVerifyOption = False,
    deadline: DeadlineOption = None,
    lock_timeout: LockTimeoutOption = None,
    target: TargetOption = None,
    exclude: ExcludeOption = None,
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
    """Clear every alarm the stack owns.

    Recorded events stay: they cannot be cleared. Alarms of other stacks and unmanaged alarms are not touched; other
    stacks of the same ledger with alarms firing are named at the end. Queries under `data` are not run.
    """
    terminal = Terminal.of(ctx)
    selection = selected(target, exclude, None)
    request = ApplyRequest("destroy", run_options(parallelism, no_verify, deadline), force)
    question = "Do you really want to clear all of these alarms?"
    operator = TerminalOperator(terminal, question, format, auto_approve=auto_approve)
    with (
        reporting(terminal, "destroy", path, Outlets(notify, notify_format, notify_on, metrics)) as reporter,
        opened(
            terminal,
            path,
            var,
            var_file,
            data=False,
            parallelism=parallelism,
            lease_wait=lease_wait(terminal, lock_timeout),
        ) as workspace,
    ):
        reporter.opened(workspace)
        result = destroy_stack(workspace, request, operator, selection)
        others = other_stacks(workspace.ledger_location, workspace.clock.now()) if isinstance(result, Result) else None
        return show_result(terminal, result, format, reporter, others=others)
