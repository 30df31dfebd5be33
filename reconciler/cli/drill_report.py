"""``reconciler drill report``: a past run, or the latencies of several."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.app.drill import recorded, recorded_history
from reconciler.cli import completers
from reconciler.cli.command import ExitCode, examples
from reconciler.cli.options import HERE, FormatOption, PathArgument, next_command
from reconciler.cli.terminal import Format, Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.text import printable
from reconciler.views.html.drill import record_html
from reconciler.views.html.drill_history import history_html
from reconciler.views.json.drill import history_document, record_document
from reconciler.views.junit.drill import record_junit
from reconciler.views.markdown.drill import record_markdown
from reconciler.views.markdown.drill_history import history_markdown
from reconciler.views.text.drill import record_lines
from reconciler.views.text.drill_history import history_lines
from reconciler.views.text.line import Style, line

if TYPE_CHECKING:
    from reconciler.views.phrases.drill import Command

REPORT_EXAMPLES = examples(
    "reconciler drill report",
    "reconciler drill report --html report.html --junit report.xml",
    "reconciler drill report 20260501 --format markdown",
    "reconciler drill report --history --html history.html",
)


def report(
    ctx: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            autocompletion=completers.drill_runs,
            help="The run's id, or a prefix of it; by default the last run that was not a rehearsal. With --history: "
            "the drill.",
            show_default=False,
        ),
    ] = None,
    path: PathArgument = HERE,
    history: Annotated[
        bool, typer.Option("--history", help="Show how latencies changed over the last runs of each drill.")
    ] = False,
    last: Annotated[
        int, typer.Option("--last", metavar="N", min=1, help="With --history: how many runs of each drill.")
    ] = 10,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Also write it as a self-contained HTML page.", show_default=False),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Also write it as JUnit XML.", show_default=False)
    ] = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Report on a run: when things happened, who was notified how soon, what was cleared.

    It needs neither the configuration nor the network.
    """
    if history:
        return _report_history(Terminal.of(ctx), path, run, last, html, junit, format)

    terminal = Terminal.of(ctx)
    for file in (html, junit):
        terminal.check_file(file, parents=True)
    found, command = recorded(path, run, terminal.environ, terminal.ledger), command_lines(path)
    if html is not None:
        terminal.write_file(html, record_html(found), parents=True)
    if junit is not None:
        terminal.write_file(junit, record_junit(found, terminal.redactor.redact), parents=True)
    if Path("-") in (html, junit):
        return ExitCode.DONE  # standard output has that document
    for file in filter(None, (html, junit)):
        terminal.message([line("Wrote ", (printable(str(file)), Style.BOLD))])
    terminal.result(
        format,
        text=lambda: record_lines(found, command),
        document=lambda: record_document(found),
        markdown=lambda: record_markdown(found, command),
    )
    return ExitCode.DONE


def _report_history(
    terminal: Terminal, path: Path, drill: str | None, last: int, html: Path | None, junit: Path | None, format: Format
) -> ExitCode:
    if junit is not None:
        raise DiagnosticError(Diagnostic("--junit cannot be combined with --history"))
    found = recorded_history(path, drill, last, terminal.environ, terminal.ledger)
    if html is not None:
        terminal.write_file(html, history_html(found), parents=True)
        if html == Path("-"):
            return ExitCode.DONE
        terminal.message([line("Wrote ", (printable(str(html)), Style.BOLD))])
    terminal.result(
        format,
        text=lambda: history_lines(found),
        document=lambda: history_document(found),
        markdown=lambda: history_markdown(found),
    )
    return ExitCode.DONE


def command_lines(path: Path, var: list[str] | None = None, var_file: list[Path] | None = None) -> Command:
    """Makes command lines with the same stack and variables."""
    return partial(next_command, stack=path, var=var, var_file=var_file)
