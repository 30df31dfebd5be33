"""``reconciler version``."""

from __future__ import annotations

import platform

import typer

from reconciler import __version__
from reconciler.cli.command import ExitCode, command_app
from reconciler.cli.options import DataFormatOption
from reconciler.cli.terminal import DataFormat, Terminal
from reconciler.views.json.document import document
from reconciler.views.text.line import line

app = command_app()


@app.command()
def version(ctx: typer.Context, format: DataFormatOption = DataFormat.TEXT) -> ExitCode:
    """Show which version this is."""
    Terminal.of(ctx).result(
        format,
        text=lambda: [line(f"reconciler {__version__}")],
        document=lambda: document(version=__version__, python=platform.python_version(), platform=platform.system()),
    )
    return ExitCode.DONE
