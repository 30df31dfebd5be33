"""``reconciler providers``."""

from __future__ import annotations

import typer

from reconciler.cli.command import ExitCode, command_app
from reconciler.cli.options import DataFormatOption
from reconciler.cli.terminal import DataFormat, Terminal
from reconciler.providers.registry import Registry
from reconciler.views.json.providers import providers_document
from reconciler.views.text.providers import provider_lines

app = command_app()


@app.command()
def providers(ctx: typer.Context, format: DataFormatOption = DataFormat.TEXT) -> ExitCode:
    """List the installed providers, and what each manages."""
    installed = list(Registry())
    Terminal.of(ctx).result(
        format,
        text=lambda: provider_lines(installed),
        document=lambda: providers_document(installed),
    )
    return ExitCode.DONE
