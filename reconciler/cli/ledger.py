"""``reconciler ledger``."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.command import ExitCode, command_app
from reconciler.cli.options import HERE, DataFormatOption, PathArgument, VarFileOption, VarOption
from reconciler.cli.terminal import DataFormat, Terminal

if TYPE_CHECKING:
    from reconciler.ledger.protocol import Ledger

app = command_app()

WhereArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DIR|FILE",
        help="The stack's directory, a file of it, or the ledger file itself.  [default: here]",
        show_default=False,
    ),
]
StackOption = Annotated[
    str | None,
    typer.Option("--stack", metavar="NAME", help="Which stack, if the directory holds several.", show_default=False),
]


@app.callback()
def ledger() -> None:
    """Inspect, settle and repair the journal of what was sent.

    Only `settle` needs the configuration and the network.
    """


@app.command("list")
def list_(
    ctx: typer.Context,
    where: WhereArgument = HERE,
    stack: StackOption = None,
    format: DataFormatOption = DataFormat.TEXT,
) -> ExitCode:
    """List the runs, newest first, and who holds the lease."""
    from reconciler.cli.command import now
    from reconciler.views.json.ledger import runs_document
    from reconciler.views.text.ledger import run_lines

    with closing(_read(where, stack)) as opened:
        runs, holder = opened.runs(), opened.holder(now())
    Terminal.of(ctx).result(
        format,
        text=lambda: run_lines(runs, holder),
        document=lambda: runs_document(runs, holder),
    )
    return ExitCode.DONE


@app.command()
def show(
    ctx: typer.Context,
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="The id of a run, or its beginning; or the `reconciler_run` of an alarm."),
    ],
    where: WhereArgument = HERE,
    stack: StackOption = None,
    format: DataFormatOption = DataFormat.TEXT,
) -> ExitCode:
    """Show the operations of one run, and what became of each."""
    from reconciler.app.ledger import past_run
    from reconciler.cli.command import now
    from reconciler.views.json.ledger import run_document
    from reconciler.views.text.ledger import entry_lines

    found = past_run(run, where, now(), stack)
    Terminal.of(ctx).result(format, text=lambda: entry_lines(*found), document=lambda: run_document(*found))
    return ExitCode.DONE


@app.command()
def settle(
    ctx: typer.Context,
    path: PathArgument = HERE,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: DataFormatOption = DataFormat.TEXT,
) -> ExitCode:
    """Query the outcome of operations that a run left open; sends nothing.

    The outcomes go into the journal. `reconciler apply` does this first, too. Exits with 4 if a query fails, so that
    an operation stays open.
    """
    from reconciler.app.settle import settle_stack
    from reconciler.cli.progress import working
    from reconciler.cli.stack import opened
    from reconciler.views.json.ledger import settlement_document
    from reconciler.views.text.ledger import settled_lines

    terminal, stop = Terminal.of(ctx), Event()
    with opened(terminal, path, var, var_file, data=False) as workspace:
        found = settle_stack(workspace, stop, partial(working, terminal))
    terminal.result(format, text=lambda: settled_lines(found), document=lambda: settlement_document(found))
    if stop.is_set():
        return ExitCode.INTERRUPTED
    return ExitCode.PARTIAL if found.open else ExitCode.DONE


@app.command()
def doctor(ctx: typer.Context, where: WhereArgument = HERE, stack: StackOption = None) -> ExitCode:
    """Examine a ledger file for damage: pages, rows, totals.

    Changes nothing. Exits with 1 if the file is damaged.
    """
    from reconciler.app.ledger import find
    from reconciler.ledger.doctor import examine
    from reconciler.views.text.ledger import examined_lines

    found = examine(find(where, stack))
    Terminal.of(ctx).result(DataFormat.TEXT, text=lambda: examined_lines(found))
    return ExitCode.DONE if found.is_sound else ExitCode.ERROR


@app.command()
def salvage(
    ctx: typer.Context,
    to: Annotated[Path, typer.Argument(metavar="TO", help="The new ledger file; it must not exist.")],
    where: WhereArgument = HERE,
    stack: StackOption = None,
) -> ExitCode:
    """Copy what is still good of a damaged ledger into a new file.

    Says what is left out, and changes nothing in the damaged one.
    """
    from reconciler.app.ledger import find
    from reconciler.cli.command import now
    from reconciler.ledger.doctor import salvage as write
    from reconciler.views.text.ledger import salvaged_lines

    path = find(where, stack)
    found = write(path, to, now())
    Terminal.of(ctx).result(DataFormat.TEXT, text=lambda: salvaged_lines(path, to, found))
    return ExitCode.DONE


@app.command()
def unlock(
    ctx: typer.Context,
    where: WhereArgument = HERE,
    stack: StackOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> ExitCode:
    """Break the lease, whoever holds it: a run that still holds it can send nothing more."""
    from reconciler.app.ledger import find
    from reconciler.cli.command import now
    from reconciler.core.diagnostic import Diagnostic, DiagnosticError
    from reconciler.ledger.sqlite import open_ledger
    from reconciler.views.text.ledger import holder_lines, unlocked_lines

    terminal = Terminal.of(ctx)
    with closing(open_ledger(find(where, stack), create=False)) as opened:
        holder = opened.holder(now())
        if holder is not None and not yes:
            if not terminal.interactive:
                raise DiagnosticError(
                    Diagnostic(
                        f"the lease is held by {holder}",
                        hint="make sure that this run is over, then add --yes",
                    )
                )
            answer = terminal.ask(holder_lines(holder), "Break this lease? Only 'yes' does it: ")
            if answer != "yes":
                terminal.message(unlocked_lines(None))
                return ExitCode.ERROR
        held = opened.unlock()
    terminal.changed = held is not None
    terminal.result(DataFormat.TEXT, text=lambda: unlocked_lines(held))
    return ExitCode.DONE


def _read(where: Path, stack: str | None) -> Ledger:
    from reconciler.app.ledger import find
    from reconciler.ledger.sqlite import read_ledger

    return read_ledger(find(where, stack))
