"""``reconciler status``."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.app.errors import describe_error
from reconciler.app.status import stack_status
from reconciler.cli.command import ExitCode, command_app, examples
from reconciler.cli.heartbeat import duration_option
from reconciler.cli.options import HERE, FormatOption, PathArgument, VarFileOption, VarOption
from reconciler.cli.reporter import MetricsOption, Outlets, RunReporter
from reconciler.cli.signals import stop_on_signal
from reconciler.cli.stack import opened
from reconciler.cli.terminal import Format, Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import SECOND
from reconciler.providers.protocol import ServiceError
from reconciler.views.json.status import status_document
from reconciler.views.markdown.status import status_markdown
from reconciler.views.text.line import BLANK
from reconciler.views.text.status import status_lines

if TYPE_CHECKING:
    from reconciler.app.status import StackStatus
    from reconciler.session.workspace import Workspace

app = command_app()


@app.command(
    epilog=examples(
        "reconciler status",
        "reconciler status stacks/checkout --format markdown",
        "reconciler status --watch --every 5s",
    )
)
def status(
    ctx: typer.Context,
    path: PathArgument = HERE,
    watch: Annotated[
        bool, typer.Option("--watch", help="Repeat until Ctrl-C; on a terminal, each round replaces the last.")
    ] = False,
    every: Annotated[
        str | None,
        typer.Option(
            "--every", metavar="DURATION", help="How long to wait between two rounds of --watch.", show_default="10s"
        ),
    ] = None,
    metrics: MetricsOption = None,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Show which of the stack's alarms are firing now.

    Each with its start and end, the run that raised it, and what has drifted. Queries the services and changes nothing.
    An alarm is `suppressed` if its service holds its notifications back: silenced, inhibited or muted. Ctrl-C
    stops --watch and exits with 0.
    """
    terminal = Terminal.of(ctx)
    pause = _pause(watch, every)
    reporter = RunReporter(terminal, "status", path, Outlets(metrics=metrics))
    with opened(terminal, path, var, var_file) as workspace:
        if watch:
            _watch(terminal, workspace, pause, format, reporter)
        else:
            found = stack_status(workspace)
            _show(terminal, found, format)
            reporter.status(found)
    return ExitCode.DONE


def _pause(watch: bool, every: str | None) -> int:
    """The milliseconds between two rounds. Raises DiagnosticError."""
    if every is None:
        return 10 * SECOND
    if not watch:
        raise DiagnosticError(Diagnostic("--every is for --watch", hint="add --watch"))
    return duration_option("--every", every)


def _watch(terminal: Terminal, workspace: Workspace, pause: int, format: Format, reporter: RunReporter) -> None:
    """Show the status until a signal arrives; after the first round a failed query is reported and retried."""
    stop = Event()
    repaints = terminal.repaints and format is Format.TEXT
    with stop_on_signal(stop, lambda: None):
        found = stack_status(workspace)
        while True:
            if repaints:
                terminal.repaint(status_lines(found))
            else:
                _show(terminal, found, format)
            reporter.status(found)
            while True:
                if workspace.clock.pause(pause, stop):
                    return
                try:
                    found = stack_status(workspace)
                    break
                except ServiceError as error:
                    terminal.report(describe_error(error).diagnostics)
            if not repaints and format is Format.TEXT:
                terminal.result(Format.TEXT, text=lambda: [BLANK])


def _show(terminal: Terminal, found: StackStatus, format: Format) -> None:
    terminal.result(
        format,
        text=lambda: status_lines(found),
        document=lambda: status_document(found),
        markdown=lambda: status_markdown(found),
    )
