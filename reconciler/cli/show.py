"""``reconciler show``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.command import command_app, examples
from reconciler.cli.exit_code import ExitCode
from reconciler.cli.options import FormatOption
from reconciler.cli.terminal import Format, Terminal

app = command_app()


@app.command(epilog=examples("reconciler show plan.json", "reconciler show plan.json --format markdown"))
def show(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A plan saved with `reconciler plan --out FILE`.")],
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Show a saved plan.

    Refuses a file that was altered after it was saved.
    """
    from reconciler.cli.plans import load, show_plan

    show_plan(Terminal.of(ctx), load(file), format)
    return ExitCode.DONE
