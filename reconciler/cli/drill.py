"""``reconciler drill``."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.app.drill import (
    abort_drills,
    active_alarms,
    latest_runs,
    preview_drill,
    rehearse_drill,
    resume_drill,
    run_drill,
    run_store,
)
from reconciler.app.trigger import WebhookFormat
from reconciler.cli import completers
from reconciler.cli.command import ExitCode, command_app, examples
from reconciler.cli.drill_operator import ABORT_INTERRUPTED, check_approvable, drill_hooks
from reconciler.cli.drill_report import REPORT_EXAMPLES, command_lines, report
from reconciler.cli.listen import (
    BindOption,
    ListenOption,
    LiveOption,
    PortOption,
    RunHostnameOption,
    listening,
    live_page,
)
from reconciler.cli.lock_timeout import lease_wait
from reconciler.cli.options import (
    HERE,
    ForceOption,
    FormatOption,
    LockTimeoutOption,
    PathArgument,
    VarFileOption,
    VarOption,
)
from reconciler.cli.reporter import MetricsOption, NotifyFormatOption, NotifyOnOption, NotifyOption, Outlets, reporting
from reconciler.cli.stack import opened
from reconciler.cli.terminal import Format, Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.drill.load import validate_drills
from reconciler.drill.record import DrillStatus
from reconciler.views.json.drill import (
    list_document,
    preview_document,
    record_document,
    records_document,
    status_document,
)
from reconciler.views.markdown.drill import preview_markdown, record_markdown
from reconciler.views.text.drill import list_lines, preview_lines, record_lines, status_lines
from reconciler.views.text.line import line

if TYPE_CHECKING:
    from reconciler.drill.record import Record
    from reconciler.views.phrases.drill import Command

app = command_app()

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The drill, as under `drills`.", show_default=False, autocompletion=completers.drills
    ),
]
YesOption = Annotated[
    bool,
    typer.Option("--yes", "-y", help="Start without asking for the drill's name; pauses are confirmed automatically."),
]


@app.callback()
def drill() -> None:
    """Run game days: alarms on a timeline, checked, always cleared.

    A drill raises alarms, checks who is notified and how soon, and clears what it raised, even if it fails.
    """


@app.command("list", epilog=examples("reconciler drill list", "reconciler drill list stacks/checkout --format json"))
def list_(
    ctx: typer.Context,
    path: PathArgument = HERE,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """List the stack's drills, each with its last run."""
    terminal = Terminal.of(ctx)
    with opened(terminal, path, var, var_file, data=False) as workspace:
        drills = validate_drills(workspace.stack, list(workspace.registry))
        last = latest_runs(workspace, run_store(workspace, terminal.redactor.redact_tree))
    terminal.result(format, text=lambda: list_lines(drills, last), document=lambda: list_document(drills, last))
    return ExitCode.DONE


@app.command(epilog=examples("reconciler drill plan checkout_outage"))
def plan(
    ctx: typer.Context,
    name: NameArgument,
    path: PathArgument = HERE,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Show a drill's timeline and every payload; nothing is sent.

    If the drill would not start now, it says why and exits with 1.
    """
    terminal = Terminal.of(ctx)
    with opened(terminal, path, var, var_file, data=False) as workspace:
        preview = preview_drill(workspace, name)
    terminal.result(
        format,
        text=lambda: preview_lines(preview),
        document=lambda: preview_document(preview),
        markdown=lambda: preview_markdown(preview),
    )
    return ExitCode.ERROR if preview.problems else ExitCode.DONE


@app.command(
    epilog=examples(
        "reconciler drill run checkout_outage --rehearse",
        "reconciler drill run checkout_outage stacks/checkout",
        "reconciler drill run checkout_outage --live --port 8095",
    )
)
def run(
    ctx: typer.Context,
    name: NameArgument,
    path: PathArgument = HERE,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Run on a private emulator: no service is queried or changed.")
    ] = False,
    speed: Annotated[
        float | None,
        typer.Option(
            "--speed",
            metavar="N",
            min=0.1,
            max=10_000,
            help="With --rehearse: how many times faster than real time; 60 by default.",
            show_default=False,
        ),
    ] = None,
    live: LiveOption = False,
    port: PortOption = None,
    bind: BindOption = None,
    listen: ListenOption = None,
    hostname: RunHostnameOption = None,
    yes: YesOption = False,
    force: ForceOption = False,
    notify: NotifyOption = None,
    notify_format: NotifyFormatOption = WebhookFormat.JSON,
    notify_on: NotifyOnOption = None,
    metrics: MetricsOption = None,
    lock_timeout: LockTimeoutOption = None,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Run a drill and clear everything at its end, even if it fails.

    Asks for the drill's name before anything is sent. Ctrl-C aborts it, and clears. Exits with 3 if a check
    fails, and with 4 if a step was not executed or an alarm may still be active; both are named.
    """
    if speed is not None and not rehearse:
        hint = "add --rehearse: only the emulator's time can run faster"
        raise DiagnosticError(Diagnostic("--speed requires --rehearse", hint=hint))
    if listen is not None and rehearse:
        hint = "omit --listen: a rehearsal starts its own receiver"
        raise DiagnosticError(Diagnostic("--listen cannot be combined with --rehearse", hint=hint))
    terminal = Terminal.of(ctx)
    check_approvable(terminal, yes=yes or rehearse)
    page = live_page(live, port, bind, hostname)
    automatic = yes or (not terminal.interactive and page is None)
    commands = command_lines(path, var, var_file)
    hooks = drill_hooks(terminal, commands, automatic=automatic, approved=yes or rehearse, page=page)
    with (
        reporting(terminal, "drill", path, Outlets(notify, notify_format, notify_on, metrics)) as reporter,
        listening(terminal, listen, None if listen is None and live else hostname) as receiver,
        opened(
            terminal, path, var, var_file, data=False, receiver=receiver, lease_wait=lease_wait(terminal, lock_timeout)
        ) as workspace,
    ):
        reporter.opened(workspace)
        store = run_store(workspace, terminal.redactor.redact_tree)
        if rehearse:
            record = rehearse_drill(workspace, name, store, hooks, speed=speed or 60.0, force=force)
        else:
            record = run_drill(workspace, name, store, hooks, force=force)
        try:
            return _show(terminal, record, format, commands)
        finally:
            reporter.drill(record)


@app.command(epilog=examples("reconciler drill resume checkout_outage"))
def resume(
    ctx: typer.Context,
    name: NameArgument,
    path: PathArgument = HERE,
    live: LiveOption = False,
    port: PortOption = None,
    bind: BindOption = None,
    listen: ListenOption = None,
    hostname: RunHostnameOption = None,
    notify: NotifyOption = None,
    notify_format: NotifyFormatOption = WebhookFormat.JSON,
    notify_on: NotifyOnOption = None,
    metrics: MetricsOption = None,
    yes: YesOption = False,
    lock_timeout: LockTimeoutOption = None,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Resume a run whose process died.

    Settles open operations, executes the remaining steps, and clears.
    """
    terminal = Terminal.of(ctx)
    page = live_page(live, port, bind, hostname)
    hooks = drill_hooks(terminal, command_lines(path, var, var_file), automatic=yes, page=page)
    with (
        reporting(terminal, "drill", path, Outlets(notify, notify_format, notify_on, metrics)) as reporter,
        listening(terminal, listen, None if listen is None and live else hostname) as receiver,
        opened(
            terminal, path, var, var_file, data=False, receiver=receiver, lease_wait=lease_wait(terminal, lock_timeout)
        ) as workspace,
    ):
        reporter.opened(workspace)
        record = resume_drill(workspace, name, run_store(workspace, terminal.redactor.redact_tree), hooks)
        try:
            return _show(terminal, record, format, command_lines(path, var, var_file))
        finally:
            reporter.drill(record)


@app.command(epilog=examples("reconciler drill abort checkout_outage", "reconciler drill abort"))
def abort(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="The drill; without it, every drill of the stack.",
            show_default=False,
            autocompletion=completers.drills,
        ),
    ] = None,
    path: PathArgument = HERE,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Abort a drill and clear all its alarms, from this machine or another one.

    Alarms are found by their marks, so the run's record is not needed. A live run on this machine is asked to stop;
    a dead one is settled and cleared.
    """
    terminal = Terminal.of(ctx)

    def waiting(record: Record) -> None:
        terminal.message([line(f"Run {record.run} is running in process {record.pid}; asking it to stop.")])

    with opened(terminal, path, var, var_file, data=False) as workspace:
        store = run_store(workspace, terminal.redactor.redact_tree)
        command = command_lines(path, var, var_file)
        hooks = drill_hooks(terminal, command, automatic=True, interrupted=ABORT_INTERRUPTED)
        records = abort_drills(workspace, name, store, hooks, waiting)
    terminal.changed = any(record.emissions for record in records)
    terminal.result(
        format,
        text=lambda: chain.from_iterable(record_lines(record, command) for record in records),
        document=lambda: records_document(records),
        markdown=lambda: "\n".join(record_markdown(record, command) for record in records),
    )
    return ExitCode.PARTIAL if any(record.leftovers or not record.over for record in records) else ExitCode.DONE


@app.command(epilog=examples("reconciler drill status"))
def status(
    ctx: typer.Context,
    path: PathArgument = HERE,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Show the last run of each drill, and which alarms of drills are active now."""
    terminal = Terminal.of(ctx)
    with opened(terminal, path, var, var_file, data=False) as workspace:
        records = list(latest_runs(workspace, run_store(workspace, terminal.redactor.redact_tree)).values())
        active, query_error = active_alarms(workspace, [record.drill for record in records])
    terminal.result(
        format,
        text=lambda: status_lines(records, active, query_error, command_lines(path, var, var_file)),
        document=lambda: status_document(records, active, query_error),
    )
    return ExitCode.DONE if query_error is None else ExitCode.ERROR


app.command(epilog=REPORT_EXAMPLES)(report)


def _show(terminal: Terminal, record: Record, format: Format, command: Command) -> ExitCode:
    terminal.changed = bool(record.emissions) and not record.rehearsal
    terminal.result(
        format,
        text=lambda: record_lines(record, command),
        document=lambda: record_document(record),
        markdown=lambda: record_markdown(record, command),
    )
    return exit_code(record)


def exit_code(record: Record) -> ExitCode:
    """The exit code of a run: an alarm that may be left has precedence."""
    if record.leftovers:
        return ExitCode.PARTIAL
    if record.ending is DrillStatus.REFUSED:
        failed = any(check.status == "failed" for check in record.checks)
        return ExitCode.CHECK_FAILED if failed else ExitCode.ERROR
    if record.ending in (DrillStatus.INTERRUPTED, DrillStatus.ABORTED):
        return ExitCode.INTERRUPTED
    if record.ending is not DrillStatus.COMPLETE or record.undone:
        return ExitCode.PARTIAL
    return ExitCode.CHECK_FAILED if record.failed_checks else ExitCode.DONE
