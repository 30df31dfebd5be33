"""``reconciler init``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.command import ExitCode, command_app, examples
from reconciler.cli.terminal import Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.views.text.line import Style, line

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

FILE = "stack.yaml"
DOT = "dot_"
"""The prefix of a starter's file whose name starts with a dot: packages lose hidden files."""


class Starter(StrEnum):
    """The available starter stacks; each is a directory of ``starters``."""

    QUICKSTART = "quickstart"
    GITOPS = "gitops"
    SMOKE_CHECK = "smoke-check"
    FLEET = "fleet"


app = command_app()


@app.command(
    epilog=examples(
        "reconciler init",
        "reconciler init stacks/checkout --name checkout",
        "reconciler init alarms --starter gitops",
    )
)
def init(
    ctx: typer.Context,
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Where to write it; created if it does not exist.  [default: here]", show_default=False
        ),
    ] = Path(),
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="The stack's name; by default that of the directory.", show_default=False
        ),
    ] = None,
    starter: Annotated[
        Starter,
        typer.Option(
            "--starter",
            help="What to start from: an alarm to try; a repository whose pipelines plan, apply and report drift; a "
            "check before deployments; many stacks in one repository, with pipelines and a Dask cluster.",
        ),
    ] = Starter.QUICKSTART,
) -> ExitCode:
    """Write a commented starter stack.

    It works as it is, with services emulated on this machine. Existing files are not overwritten.
    """
    stack = name if name is not None else _name(directory)
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", stack):
        hint = "use lower-case letters, digits and inner dashes, at most 63"
        raise DiagnosticError(Diagnostic(f'"{stack}" cannot be the name of a stack', hint=hint))
    existing = sorted(directory.glob("[!.]*.yaml")) if directory.is_dir() else []
    if existing:
        hint = "name another directory: reconciler init DIR"
        raise DiagnosticError(Diagnostic(f"a stack already exists: {existing[0]}", hint=hint))
    written = dict(_files(files("reconciler.cli").joinpath("starters", starter.value)))
    written[".gitignore"] = "# The ledger, and the embedded emulator's data.\n.reconciler/\n"
    kept = [file for file in written if (directory / file).exists()]
    for file, text in written.items():
        if file not in kept:
            path = directory / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("STACK_NAME", stack), encoding="utf-8")
    where = "" if directory == Path() else f" {shlex.quote(str(directory))}"
    options = ""
    if starter is Starter.GITOPS:
        options = f" --var-file {shlex.quote(str(directory / 'environments' / 'staging.yaml'))}"
    verb = {Starter.SMOKE_CHECK: "check", Starter.FLEET: "fleet plan"}.get(starter, "plan")
    main = directory / ("fleet.yaml" if starter is Starter.FLEET else FILE)
    terminal = Terminal.of(ctx)
    if kept and kept != [".gitignore"]:
        terminal.message([line(f"Kept existing files: {', '.join(kept)}.")])
    then = f"reconciler {verb}{where}{options}"
    terminal.message([line(f"Wrote {main}. Read it, then try: ", (then, Style.BOLD))])
    return ExitCode.DONE


def _files(directory: Traversable, above: str = "") -> Iterator[tuple[str, str]]:
    """The files of a starter: their paths and contents."""
    for item in sorted(directory.iterdir(), key=lambda item: item.name):
        name = above + re.sub(f"^{DOT}", ".", item.name)
        if item.is_dir():
            yield from _files(item, f"{name}/")
        else:
            yield name, item.read_text(encoding="utf-8")


def _name(directory: Path) -> str:
    """A stack name derived from a directory's."""
    made = re.sub(r"[^a-z0-9]+", "-", directory.resolve().name.lower()).strip("-")[:63].strip("-")
    return made or "stack"
