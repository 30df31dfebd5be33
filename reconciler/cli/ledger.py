"""``reconciler ledger``."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.app.ledger import Asked, find, locate, owner, past_run, require, shared_place
from reconciler.app.prune import older_than_ms, preview
from reconciler.app.prune import prune as remove
from reconciler.app.settle import settle_stack
from reconciler.cli import completers
from reconciler.cli.approval import check_approvable, is_approved
from reconciler.cli.command import ExitCode, command_app, examples
from reconciler.cli.ledger_place import find_ledger
from reconciler.cli.lock_timeout import lease_wait
from reconciler.cli.options import (
    HERE,
    DataFormatOption,
    LockTimeoutOption,
    PathArgument,
    StackOption,
    VarFileOption,
    VarOption,
    WhereArgument,
)
from reconciler.cli.progress import working
from reconciler.cli.stack import opened
from reconciler.cli.terminal import DataFormat, Terminal
from reconciler.core.ledger_url import scheme, secrets_of
from reconciler.core.system_clock import now
from reconciler.ledger.copying import copy_ledger
from reconciler.ledger.doctor import examine
from reconciler.ledger.doctor import salvage as write
from reconciler.ledger.kinds import list_stacks
from reconciler.ledger.location import Location, open_at, read_at
from reconciler.ledger.probe import examine_shared
from reconciler.ledger.sqlite import open_ledger
from reconciler.views.json.ledger import (
    pruned_document,
    run_document,
    runs_document,
    settlement_document,
    stacks_document,
)
from reconciler.views.text.ledger import (
    copied_lines,
    entry_lines,
    examined_lines,
    holder_lines,
    probed_lines,
    pruned_lines,
    run_lines,
    salvaged_lines,
    settled_lines,
    stack_lines,
    unlocked_lines,
)
from reconciler.views.text.line import line

if TYPE_CHECKING:
    from reconciler.app.prune import Pruned
    from reconciler.ledger.protocol import Ledger

app = command_app()


@app.callback()
def ledger() -> None:
    """Inspect, settle and repair the journal of what was sent.

    Only `settle` needs the configuration and the network.
    """


@app.command("list")
def list_(
    ctx: typer.Context,
    where: WhereArgument = ".",
    stack: StackOption = None,
    format: DataFormatOption = DataFormat.TEXT,
) -> ExitCode:
    """List the runs, newest first, and who holds the lease.

    The URL of a shared ledger lists its stacks.
    """
    terminal = Terminal.of(ctx)
    if scheme(where) and stack is None:
        terminal.redact(secrets_of(where))
        stacks = list_stacks(where)
        terminal.result(format, text=lambda: stack_lines(stacks), document=lambda: stacks_document(stacks))
        return ExitCode.DONE
    with closing(read_at(_named(terminal, where, stack))) as opened:
        runs, holder = opened.runs(), opened.holder(now())
    terminal.result(
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
        typer.Argument(
            metavar="RUN",
            help="The id of a run, or a prefix of it; or the `reconciler_run` of an alarm.",
            autocompletion=completers.runs,
        ),
    ],
    where: WhereArgument = ".",
    stack: StackOption = None,
    format: DataFormatOption = DataFormat.TEXT,
) -> ExitCode:
    """Show the operations of one run, and the outcome of each."""
    found = past_run(run, _named(Terminal.of(ctx), where, stack), now())
    Terminal.of(ctx).result(format, text=lambda: entry_lines(*found), document=lambda: run_document(*found))
    return ExitCode.DONE


@app.command()
def settle(
    ctx: typer.Context,
    path: PathArgument = HERE,
    lock_timeout: LockTimeoutOption = None,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: DataFormatOption = DataFormat.TEXT,
) -> ExitCode:
    """Query the outcome of operations that a run left open; sends nothing.

    The outcomes go into the journal. `reconciler apply` does this first, too. Exits with 4 if a query fails, so that
    an operation stays open.
    """
    terminal, stop = Terminal.of(ctx), Event()
    with opened(terminal, path, var, var_file, data=False, lease_wait=lease_wait(terminal, lock_timeout)) as workspace:
        found = settle_stack(workspace, stop, partial(working, terminal))
    terminal.result(format, text=lambda: settled_lines(found), document=lambda: settlement_document(found))
    if stop.is_set():
        return ExitCode.INTERRUPTED
    return ExitCode.PARTIAL if found.open else ExitCode.DONE


@app.command()
def doctor(ctx: typer.Context, where: WhereArgument = ".", stack: StackOption = None) -> ExitCode:
    """Examine a ledger for damage.

    For a shared ledger, also test whether its store gives the guarantees that a ledger needs.

    Changes nothing: guarantees are tested in a temporary stack. Exits with 1 if something is wrong.
    """
    terminal = Terminal.of(ctx)
    asked = Asked(where, stack, terminal.ledger)
    url, _ = shared_place(asked, terminal.environ)
    if url is not None:
        terminal.redact(secrets_of(url))
        if stack is not None:
            require(Location(url, stack))
        shared = examine_shared(url, stack, now())
        terminal.result(DataFormat.TEXT, text=lambda: probed_lines(shared))
        return ExitCode.DONE if shared.is_sound else ExitCode.ERROR
    found = examine(find(asked))
    terminal.result(DataFormat.TEXT, text=lambda: examined_lines(found))
    return ExitCode.DONE if found.is_sound else ExitCode.ERROR


@app.command()
def salvage(
    ctx: typer.Context,
    to: Annotated[Path, typer.Argument(metavar="TO", help="The new ledger file; it must not exist.")],
    where: WhereArgument = ".",
    stack: StackOption = None,
) -> ExitCode:
    """Copy the readable part of a damaged ledger into a new file.

    Reports what is lost. The damaged ledger is not changed.
    """
    path = find(Asked(where, stack, Terminal.of(ctx).ledger))
    found = write(path, to, now())
    Terminal.of(ctx).result(DataFormat.TEXT, text=lambda: salvaged_lines(path, to, found))
    return ExitCode.DONE


@app.command()
def copy(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FROM", help="A stack's directory, a ledger file, or a URL.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="A directory for the ledger file, or a URL.")],
    stack: StackOption = None,
) -> ExitCode:
    """Copy a stack's ledger to another place, and verify the copy.

    Records that are there already are not copied again. Refused while a run works on the stack. The ledger at FROM is
    not changed: use TO from then on.
    """
    terminal = Terminal.of(ctx)
    for place in (source, target):
        terminal.redact(secrets_of(place))
    found = locate(Asked(source, stack), {})
    to = Location(target if scheme(target) else Path(target), found.stack)
    who = owner()
    copied = copy_ledger(found, to, who.name, who.host, now())
    terminal.changed = True
    terminal.result(DataFormat.TEXT, text=lambda: copied_lines(found, to, copied))
    return ExitCode.DONE


@app.command(
    epilog=examples(
        "reconciler ledger prune --dry-run",
        "reconciler ledger prune --older-than 7d --auto-approve",
        "reconciler ledger prune postgresql://db.example.com/reconciler --stack checkout",
    )
)
def prune(
    ctx: typer.Context,
    where: WhereArgument = ".",
    stack: StackOption = None,
    older_than: Annotated[
        str,
        typer.Option("--older-than", metavar="DURATION", help="Keep everything that is younger, at least 1d."),
    ] = "90d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed, and remove nothing.")] = False,
    auto_approve: Annotated[bool, typer.Option("--auto-approve", help="Do not ask before removing.")] = False,
    format: DataFormatOption = DataFormat.TEXT,
) -> ExitCode:
    """Remove old runs, operations and drill records that are not needed any more.

    What a later plan or apply needs is kept, whatever its age: recorded events, operations without a known outcome,
    alarms that may still fire, plans that could still be applied, and everything of the last 31 days but what checks
    sent. Refused while a run works on the stack.
    """
    terminal = Terminal.of(ctx)
    asked, limit = Asked(where, stack, terminal.ledger), older_than_ms(older_than)
    require(find_ledger(terminal, where, stack))
    if dry_run or not auto_approve:
        found = preview(asked, terminal.environ, limit, now())
        if dry_run or found.is_empty:
            _show_pruned(terminal, format, found, older_than, done=False)
            return ExitCode.DONE
        check_approvable(terminal, format, preview="reconciler ledger prune --dry-run")
        if not is_approved(terminal, "Do you want to remove this?", pruned_lines(found, older_than, done=False)):
            terminal.message([line("Nothing was removed.")])
            return ExitCode.ERROR
    removed = remove(asked, terminal.environ, limit, now(), owner())
    terminal.changed = not removed.is_empty
    _show_pruned(terminal, format, removed, older_than, done=True)
    return ExitCode.DONE


def _show_pruned(terminal: Terminal, format: DataFormat, found: Pruned, older_than: str, *, done: bool) -> None:
    terminal.result(
        format,
        text=lambda: pruned_lines(found, older_than, done=done),
        document=lambda: pruned_document(found, done=done),
    )


@app.command()
def unlock(
    ctx: typer.Context,
    where: WhereArgument = ".",
    stack: StackOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> ExitCode:
    """Break the lease: a run that still holds it can send nothing more."""
    terminal = Terminal.of(ctx)
    with closing(_unlocking(find_ledger(Terminal.of(ctx), where, stack))) as opened:
        holder = opened.holder(now())
        if holder is not None and not yes:
            if not terminal.interactive:  # otherwise the prompt says who holds it
                terminal.message(holder_lines(holder))
            check_approvable(terminal, DataFormat.TEXT, preview="reconciler ledger list", option="--yes")
            if not is_approved(
                terminal, "Has this run ended, and do you want to break its lease?", holder_lines(holder)
            ):
                terminal.message(unlocked_lines(None))
                return ExitCode.ERROR
        held = opened.unlock()
    terminal.changed = held is not None
    terminal.result(DataFormat.TEXT, text=lambda: unlocked_lines(held))
    return ExitCode.DONE


def _named(terminal: Terminal, where: str, stack: str | None) -> Location:
    """The ledger that a command names; a stack named with a URL must exist."""
    location = find_ledger(terminal, where, stack)
    return require(location) if scheme(where) and stack is not None else location


def _unlocking(location: Location) -> Ledger:
    """The ledger for breaking its lease; it is not created."""
    return open_at(require(location)) if location.path is None else open_ledger(location.path, create=False)
