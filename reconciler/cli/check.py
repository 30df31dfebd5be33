"""``reconciler check``."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from reconciler.app.check import check_exit_code, run_stack_checks
from reconciler.app.check_states import check_states
from reconciler.app.trigger import WebhookFormat
from reconciler.checks.result import Report
from reconciler.cli import completers
from reconciler.cli.command import ExitCode, command_app, examples
from reconciler.cli.heartbeat import duration_option, run_rounds
from reconciler.cli.listen import HostnameOption, ListenOption, listening
from reconciler.cli.lock_timeout import lease_wait
from reconciler.cli.options import FormatOption, LockTimeoutOption, VarFileOption, VarOption
from reconciler.cli.progress import check_progress
from reconciler.cli.reporter import MetricsOption, NotifyFormatOption, NotifyOnOption, NotifyOption, Outlets, reporting
from reconciler.cli.stack import opened
from reconciler.cli.terminal import Format, Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.views.json.check import check_document
from reconciler.views.junit.check import check_junit
from reconciler.views.markdown.check import check_markdown
from reconciler.views.text.check import check_lines

app = command_app()


@app.command(
    epilog=examples(
        "reconciler check",
        "reconciler check nothing_critical canary",
        "reconciler check stacks/checkout --junit checks.xml --format markdown",
        "reconciler check --listen 127.0.0.1:8090",
        "reconciler check --every 1m --notify https://hooks.example.com/alarms",
    )
)
def check(
    ctx: typer.Context,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DIR|FILE|NAME",
            help="The stack, if it is not in the current directory, and the checks to run; all by default.",
            show_default=False,
            autocompletion=completers.checks,
        ),
    ] = None,
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE", help="Also write the results as JUnit XML.", show_default=False),
    ] = None,
    listen: ListenOption = None,
    hostname: HostnameOption = None,
    notify: NotifyOption = None,
    notify_format: NotifyFormatOption = WebhookFormat.JSON,
    notify_on: NotifyOnOption = None,
    metrics: MetricsOption = None,
    only_changes: Annotated[
        bool,
        typer.Option("--only-changes", help="Notify webhooks only of checks that start to fail or pass again."),
    ] = False,
    every: Annotated[
        str | None,
        typer.Option(
            "--every",
            metavar="DURATION",
            help="Repeat at this interval, with --only-changes, until Ctrl-C or SIGTERM.",
            show_default=False,
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            "--rounds", metavar="N", min=1, help="With --every: stop after this many rounds.", show_default=False
        ),
    ] = None,
    lock_timeout: LockTimeoutOption = None,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Run the stack's checks, for example before a deployment.

    Queries what is firing, and runs canaries. Exits with 3 if a check fails, and with 1 if a query fails: a failed
    query is not treated as empty.
    """
    terminal = Terminal.of(ctx)
    terminal.check_file(junit, parents=True)
    path, names = _split(what or [])
    pause = None if every is None else duration_option("--every", every)
    if rounds is not None and pause is None:
        raise DiagnosticError(Diagnostic("--rounds is for --every"))
    stop = Event()

    def show_report(report: Report) -> None:
        if junit is not None:
            terminal.write_file(junit, check_junit(report, terminal.redactor.redact), parents=True)
        if junit == Path("-"):
            terminal.message(check_lines(report))  # standard output has the JUnit document
        else:
            terminal.result(
                format,
                text=lambda: check_lines(report),
                document=lambda: check_document(report),
                markdown=lambda: check_markdown(report),
            )

    with (
        reporting(terminal, "check", path, Outlets(notify, notify_format, notify_on, metrics)) as reporter,
        listening(terminal, listen, hostname) as receiver,
        opened(
            terminal, path, var, var_file, data=False, receiver=receiver, lease_wait=lease_wait(terminal, lock_timeout)
        ) as workspace,
    ):
        reporter.opened(workspace)
        if only_changes or pause is not None:
            reporter.tell_changes(check_states(workspace))

        def run_round() -> ExitCode:
            with check_progress(terminal, stop) as progress:
                report = run_stack_checks(workspace, names, stop, progress)
            try:
                show_report(report)
            finally:
                reporter.checks(report)
            return check_exit_code(report.counts)

        if pause is None:
            return run_round()
        return run_rounds(terminal, run_round, reporter.error, pause, rounds, workspace.clock, stop)


def _split(what: list[str]) -> tuple[Path, list[str]]:
    """The stack and the names of checks: the first word is the stack if such a file or directory exists."""
    if what and Path(what[0]).exists():
        return Path(what[0]), what[1:]
    if what and ("/" in what[0] or what[0].endswith((".yaml", ".yml"))):
        return Path(what[0]), what[1:]  # not a valid name: let the missing file be reported
    return Path(), what
