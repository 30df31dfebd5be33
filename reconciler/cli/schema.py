"""``reconciler schema``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reconciler.app.schemas import schemas
from reconciler.cli.command import ExitCode, command_app, examples
from reconciler.cli.terminal import Format, Terminal
from reconciler.fleet.spec import fleet_schema
from reconciler.views.json.document import encode
from reconciler.views.json.published import DOCUMENTS
from reconciler.views.text.line import line

app = command_app()


@app.command(epilog=examples("reconciler schema > stack.schema.json", "reconciler schema --out schema"))
def schema(
    ctx: typer.Context,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write all schemas to files of this directory.", show_default=False),
    ] = None,
) -> ExitCode:
    """Show the JSON Schema of a stack, for editors and checkers.

    It covers the providers that are installed. With --out it is written beside the schemas of fleets, of saved plans
    and of JSON output.
    """
    terminal = Terminal.of(ctx)
    made = {**schemas(DOCUMENTS), "fleet": fleet_schema()}
    if out is None:
        terminal.result(Format.JSON, text=list, document=lambda: made["stack"])
        return ExitCode.DONE
    out.mkdir(parents=True, exist_ok=True)
    for name, document in made.items():
        file = out / f"{name}.schema.json"
        terminal.write_file(file, encode(document))
        terminal.message([line(f"Wrote {file}")])
    return ExitCode.DONE
