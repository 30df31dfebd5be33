"""``reconciler drill``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.command import command_app, examples
from reconciler.cli.exit_code import ExitCode
from reconciler.cli.options import HERE, ForceOption, FormatOption, PathArgument, VarFileOption, VarOption
from reconciler.cli.terminal import Format, Terminal

if TYPE_CHECKING:
    from reconciler.drill.record import Record

app = command_app()

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The drill, as under `drills`.", show_default=False)]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask for the drill's name, nor for what its pauses ask for.")
]


@app.callback()
def drill() -> None:
    """Run game days: raise alarms on a timeline, see who is told, and always clean up."""


@app.command("list", epilog=examples("reconciler drill list", "reconciler drill list stacks/checkout --format json"))
def list_(
    ctx: typer.Context,
    path: PathArgument = HERE,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """List the stack's drills, each with its last run."""
    from reconciler.cli.drilling import archive_of
    from reconciler.cli.stack import opened
    from reconciler.drill.load import validate_drills
    from reconciler.views.json.drill import list_document
    from reconciler.views.text.drill import list_lines

    terminal = Terminal.of(ctx)
    with opened(terminal, path, var, var_file, data=False) as workspace:
        drills = validate_drills(workspace.stack, list(workspace.registry))
        last = {record.drill: record for record in reversed(archive_of(workspace, terminal).records())}
    terminal.show(format, text=lambda: list_lines(drills, last), document=lambda: list_document(drills, last))
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

    It also says why the drill would not start now, and exits with 1 then.
    """
    from reconciler.cli.drilling import previewed
    from reconciler.cli.stack import opened
    from reconciler.views.json.drill import preview_document
    from reconciler.views.markdown.drill import preview_markdown
    from reconciler.views.text.drill import preview_lines

    terminal = Terminal.of(ctx)
    with opened(terminal, path, var, var_file, data=False) as workspace:
        made, previews, problems = previewed(workspace, name)
    terminal.show(
        format,
        text=lambda: preview_lines(made, previews, problems),
        document=lambda: preview_document(made, previews, problems),
        markdown=lambda: preview_markdown(made, previews, problems),
    )
    return ExitCode.ERROR if problems else ExitCode.DONE


@app.command(
    epilog=examples(
        "reconciler drill run checkout_outage --rehearse",
        "reconciler drill run checkout_outage stacks/checkout",
    )
)
def run(
    ctx: typer.Context,
    name: NameArgument,
    path: PathArgument = HERE,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="On an emulator of its own: no service is asked, nothing real changes.")
    ] = False,
    speed: Annotated[
        float | None,
        typer.Option(
            "--speed",
            metavar="N",
            min=0.1,
            max=10_000,
            help="With --rehearse: how many times as fast time runs; 60 by default.",
            show_default=False,
        ),
    ] = None,
    yes: YesOption = False,
    force: ForceOption = False,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Run a drill, and clear everything at its end, however it ends.

    Asks for the drill's name before anything is sent. Ctrl-C ends it early, and clears. Exits with 3 where a check
    does not pass, and with 4 where something was not done or an alarm may be left: it says which then.
    """
    from reconciler.cli.drilling import run_drill
    from reconciler.core.diagnostic import Diagnostic, DiagnosticError

    if speed is not None and not rehearse:
        hint = "add --rehearse: only the emulator's time can be made to run faster"
        raise DiagnosticError(Diagnostic("--speed goes with --rehearse", hint=hint))
    terminal = Terminal.of(ctx)
    scaled = (speed or 60.0) if rehearse else None
    return _show(terminal, run_drill(terminal, name, path, var, var_file, speed=scaled, yes=yes, force=force), format)


@app.command(epilog=examples("reconciler drill resume checkout_outage"))
def resume(
    ctx: typer.Context,
    name: NameArgument,
    path: PathArgument = HERE,
    yes: YesOption = False,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Go on with a run whose process died.

    Settles what is open, takes the steps that are left, and clears.
    """
    from reconciler.cli.drilling import resume_drill

    terminal = Terminal.of(ctx)
    return _show(terminal, resume_drill(terminal, name, path, var, var_file, yes=yes), format)


@app.command(epilog=examples("reconciler drill abort checkout_outage", "reconciler drill abort"))
def abort(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The drill; without it, every drill of the stack.", show_default=False),
    ] = None,
    path: PathArgument = HERE,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """End a drill and clear all its alarms, from here or any other machine.

    Their marks are enough. A run that is alive here is told to end; one that died is settled and cleared.
    """
    from reconciler.cli.drilling import abort_drills
    from reconciler.views.json.drill import records_document
    from reconciler.views.markdown.drill import record_markdown
    from reconciler.views.text.drill import record_lines

    terminal = Terminal.of(ctx)
    records = abort_drills(terminal, name, path, var, var_file)
    terminal.show(
        format,
        text=lambda: (line for record in records for line in record_lines(record)),
        document=lambda: records_document(records),
        markdown=lambda: "\n".join(map(record_markdown, records)),
    )
    return ExitCode.PARTIAL if any(record.left or not record.over for record in records) else ExitCode.DONE


@app.command(epilog=examples("reconciler drill status"))
def status(
    ctx: typer.Context,
    path: PathArgument = HERE,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Show the last run of each drill, and which alarms of drills are active now."""
    from reconciler.cli.drilling import active_now, archive_of
    from reconciler.cli.stack import opened
    from reconciler.views.json.drill import status_document
    from reconciler.views.text.drill import status_lines

    terminal = Terminal.of(ctx)
    with opened(terminal, path, var, var_file, data=False) as workspace:
        records = list(
            {record.drill: record for record in reversed(archive_of(workspace, terminal).records())}.values()
        )
        active, trouble = active_now(workspace, [record.drill for record in records])
    terminal.show(
        format,
        text=lambda: status_lines(records, active, trouble),
        document=lambda: status_document(records, active, trouble),
    )
    return ExitCode.DONE if trouble is None else ExitCode.ERROR


@app.command(
    epilog=examples(
        "reconciler drill report",
        "reconciler drill report --html report.html --junit report.xml",
        "reconciler drill report 20260501 --format markdown",
    )
)
def report(
    ctx: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN", help="The run, or the beginning of its id; the last by default.", show_default=False
        ),
    ] = None,
    path: PathArgument = HERE,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Also write it as a page that stands alone.", show_default=False),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Also write it as JUnit XML.", show_default=False)
    ] = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Report on a run: when things happened, who was told how soon, what was cleared.

    It needs neither the configuration nor the network.
    """
    from reconciler.cli.drilling import recorded, write_reports
    from reconciler.views.json.drill import record_document
    from reconciler.views.markdown.drill import record_markdown
    from reconciler.views.text.drill import record_lines

    terminal = Terminal.of(ctx)
    found = recorded(path, run)
    write_reports(terminal, found, html, junit)
    terminal.show(
        format,
        text=lambda: record_lines(found),
        document=lambda: record_document(found),
        markdown=lambda: record_markdown(found),
    )
    return ExitCode.DONE


def _show(terminal: Terminal, record: Record, format: Format) -> ExitCode:
    from reconciler.views.json.drill import record_document
    from reconciler.views.markdown.drill import record_markdown
    from reconciler.views.text.drill import record_lines

    terminal.show(
        format,
        text=lambda: record_lines(record),
        document=lambda: record_document(record),
        markdown=lambda: record_markdown(record),
    )
    return exit_code(record)


def exit_code(record: Record) -> ExitCode:
    """What a script learns from a run: an alarm that may be left outweighs everything."""
    from reconciler.drill.record import DrillStatus

    if record.left:
        return ExitCode.PARTIAL
    if record.ending is DrillStatus.REFUSED:
        failed = any(check.verdict == "failed" for check in record.checks)
        return ExitCode.CHECK_FAILED if failed else ExitCode.ERROR
    if record.ending in (DrillStatus.INTERRUPTED, DrillStatus.ABORTED):
        return ExitCode.INTERRUPTED
    if record.ending is not DrillStatus.COMPLETE or record.undone:
        return ExitCode.PARTIAL
    return ExitCode.CHECK_FAILED if record.failed_checks else ExitCode.DONE
