"""``reconciler init``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.command import command_app, examples
from reconciler.cli.exit_code import ExitCode
from reconciler.cli.terminal import Terminal

FILE = "stack.yaml"

app = command_app()


@app.command(epilog=examples("reconciler init", "reconciler init stacks/checkout --name checkout"))
def init(
    ctx: typer.Context,
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Where to write it; made if there is none.  [default: here]", show_default=False
        ),
    ] = Path(),
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="The stack's name; made from the directory's otherwise.", show_default=False
        ),
    ] = None,
) -> ExitCode:
    """Write a commented starter stack.

    It can be planned and applied as it is: its services are emulated on this machine. Overwrites nothing.
    """
    import shlex
    from importlib.resources import files

    from reconciler.core.diagnostic import Diagnostic, DiagnosticError
    from reconciler.views.text.line import Style, line

    stack = name if name is not None else _name(directory)
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", stack):
        hint = "use lower-case letters, digits and inner dashes, at most 63"
        raise DiagnosticError(Diagnostic(f'"{stack}" can\'t be the name of a stack', hint=hint))
    existing = sorted(directory.glob("*.yaml")) if directory.is_dir() else []
    if existing:
        hint = "name another directory: reconciler init DIR"
        raise DiagnosticError(Diagnostic(f"there is a stack already: {existing[0]}", hint=hint))
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / FILE
    text = files("reconciler.cli").joinpath("starter.yaml").read_text(encoding="utf-8")
    with file.open("x", encoding="utf-8") as opened:
        opened.write(text.replace("STACK_NAME", stack))
    ignore = directory / ".gitignore"
    if not ignore.exists():
        ignore.write_text("# The ledger, and the embedded emulator's data.\n.reconciler/\n", encoding="utf-8")
    where = "" if directory == Path() else f" {shlex.quote(str(directory))}"
    Terminal.of(ctx).tell([line(f"Wrote {file}. Read it, then try: ", (f"reconciler plan{where}", Style.BOLD))])
    return ExitCode.DONE


def _name(directory: Path) -> str:
    """A stack's name made from a directory's."""
    made = re.sub(r"[^a-z0-9]+", "-", directory.resolve().name.lower()).strip("-")[:63].strip("-")
    return made or "stack"
