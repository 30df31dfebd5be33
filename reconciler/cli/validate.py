"""``reconciler validate``."""

from __future__ import annotations

from pathlib import Path

import typer

from reconciler.checks.load import validate_checks
from reconciler.cli.command import ExitCode, command_app, examples
from reconciler.cli.options import HERE, DataFormatOption, PathArgument, VarFileOption, VarOption
from reconciler.cli.stack import opened
from reconciler.cli.terminal import DataFormat, Terminal
from reconciler.drill.load import validate_drills
from reconciler.session.stack_source import is_fleet, read_source
from reconciler.views.json.diagnostic import validation_document
from reconciler.views.text.diagnostic import validation_lines

app = command_app()


@app.command(
    epilog=examples(
        "reconciler validate",
        "reconciler validate stacks/checkout --var release=1.4.2 --format json",
        "reconciler validate fleet.yaml",
    )
)
def validate(
    ctx: typer.Context,
    path: PathArgument = HERE,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: DataFormatOption = DataFormat.TEXT,
) -> ExitCode:
    """Check a stack, without querying any service.

    Every problem is reported at once, with its location and how to fix it. A fleet file is checked by itself, without
    its stacks.
    """
    terminal = Terminal.of(ctx)
    if is_fleet(path):
        return _validate_fleet(terminal, path, format)
    with opened(terminal, path, var, var_file, data=False) as workspace:
        validate_checks(workspace.stack, workspace.registry.resource_types())
        validate_drills(workspace.stack, list(workspace.registry))
        terminal.result(
            format,
            text=lambda: validation_lines(workspace.stack),
            document=lambda: validation_document(workspace.stack),
        )
    return ExitCode.DONE


def _validate_fleet(terminal: Terminal, path: Path, format: DataFormat) -> ExitCode:
    from reconciler.fleet.fleet import fleet_file, select_stacks
    from reconciler.fleet.spec import parse_fleet
    from reconciler.views.json.fleet import fleet_validation_document
    from reconciler.views.text.fleet import fleet_validation_lines

    file = parse_fleet(read_source(fleet_file(path) or path))
    stacks = len(select_stacks(file))
    terminal.result(
        format,
        text=lambda: fleet_validation_lines(file, stacks),
        document=lambda: fleet_validation_document(file, stacks),
    )
    return ExitCode.DONE
