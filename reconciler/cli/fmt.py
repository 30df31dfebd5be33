"""``reconciler fmt``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.command import ExitCode, command_app, examples
from reconciler.cli.terminal import Format, Terminal
from reconciler.config.yaml.format import format_text
from reconciler.config.yaml.source_map import Source
from reconciler.core.diagnostic import DiagnosticError
from reconciler.session.stack_source import read_sources
from reconciler.views.text.fmt import diff_lines

if TYPE_CHECKING:
    from reconciler.config.yaml.source_map import Source
    from reconciler.core.diagnostic import Diagnostic

STANDARD_INPUT = "standard input"

app = command_app()


@app.command(
    epilog=examples("reconciler fmt", "reconciler fmt stacks/checkout --check --diff", "reconciler fmt - < a.yaml")
)
def fmt(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DIR|FILE",
            help="Stacks: directories of *.yaml files, or files; - is standard input, written to standard output.  "
            "[default: here]",
            show_default=False,
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 3 if a file would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; show what would change.")] = False,
) -> ExitCode:
    """Format the files of a stack.

    Only white space changes: comments, order, quotes and line breaks stay. Names each file it changed.
    """
    terminal = Terminal.of(ctx)
    problems: list[Diagnostic] = []
    altered = False
    for source in _sources(terminal, paths or [Path()]):
        try:
            text = format_text(source)
        except DiagnosticError as error:
            problems.extend(error.diagnostics)
            continue
        changes = text.encode() != source.text
        altered = altered or changes
        if diff and changes:
            _show_diff(terminal, source, text)
        elif source.name == STANDARD_INPUT and not check:
            terminal.write(text)
        elif changes:
            terminal.write(f"{source.name}\n")
        if changes and not (check or diff or source.name == STANDARD_INPUT):
            terminal.write_file(Path(source.name), text)
    if problems:
        raise DiagnosticError(*problems)
    return ExitCode.CHECK_FAILED if check and altered else ExitCode.DONE


def _sources(terminal: Terminal, paths: list[Path]) -> Iterator[Source]:
    for path in paths:
        if str(path) == "-":
            yield Source(STANDARD_INPUT, terminal.stdin.read().encode("utf-8", "surrogateescape"))
        else:
            yield from read_sources(path)[0]


def _show_diff(terminal: Terminal, source: Source, text: str) -> None:
    before = source.text.decode("utf-8")
    terminal.result(Format.TEXT, text=lambda: diff_lines(source.name, before, text))
