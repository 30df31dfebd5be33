"""Drilling: from a command line to the record of a run, with somebody at the terminal or nobody."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from threading import Event

from reconciler.app.owner import owner
from reconciler.cli.signals import stop_on_signal
from reconciler.cli.stack import opened
from reconciler.cli.terminal import Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, did_you_mean
from reconciler.core.observed import Observed, State
from reconciler.drill.context import Confirm
from reconciler.drill.drill import Drill, drill_stack
from reconciler.drill.journal import Watcher
from reconciler.drill.load import drill_names, read_drill
from reconciler.drill.preconditions import refusals
from reconciler.drill.preview import Preview, combined_plan, previews
from reconciler.drill.record import Record
from reconciler.drill.rehearsal import rehearsed
from reconciler.drill.run import OperatorHooks, abort, resume, start
from reconciler.drill.store import RunStore
from reconciler.ledger.protocol import LeaseHeldError
from reconciler.providers.protocol import ServiceError
from reconciler.session.workspace import STATE_DIRECTORY, Workspace
from reconciler.views.html.drill import record_html
from reconciler.views.junit.drill import record_junit
from reconciler.views.printable import printable
from reconciler.views.text.drill import remark_line
from reconciler.views.text.line import BLANK, Style, line

INTERRUPTED = "Interrupted: everything the drill raised is cleared, then it ends. Ctrl-C again exits at once."
ABORT_PATIENCE = 180.0
"""How long (s) `drill abort` waits for a living run to clear and end."""
_BLINK = 0.2

Away = Callable[[], AbstractContextManager[None]]
"""Takes the live view away for as long as a question is asked."""


def archive_of(workspace: Workspace, terminal: Terminal) -> RunStore:
    """The records of a stack's drills; no secret gets into them."""
    return RunStore(workspace.state_directory, terminal.redactor.tree)


def recorded(path: Path, run: str | None) -> Record:
    """The record of a run, or of the last one."""
    root = path if path.is_dir() else path.parent
    archive = RunStore(root / STATE_DIRECTORY)
    if run is not None:
        return archive.load(run)
    found = archive.records(limit=1)
    if not found:
        hint = "`reconciler drill run NAME --rehearse` makes one"
        raise DiagnosticError(Diagnostic(f"no drill has been run in {root}", hint=hint))
    return found[0]


def previewed(workspace: Workspace, name: str) -> tuple[Drill, Sequence[Preview], list[str]]:
    """A drill, what each step would send, and why it would not start now."""
    drill = _read(workspace, name)
    types, now = workspace.registry.resource_types(), workspace.clock.now()
    plan = combined_plan(drill, types, now)
    found = [*refusals(drill, workspace.projects, now), *workspace.refusals(plan), *plan.problems]
    return drill, previews(drill, types, now), [problem.summary for problem in found]


def run_drill(
    terminal: Terminal,
    name: str,
    path: Path,
    var: Sequence[str] | None,
    var_file: Sequence[Path] | None,
    *,
    speed: float | None,
    yes: bool,
    force: bool,
) -> Record:
    """Run a drill; with ``speed`` on an emulator of its own."""
    if not yes and speed is None and not terminal.interactive:
        hint = "add --yes; `reconciler drill plan` shows beforehand what would be sent"
        raise DiagnosticError(Diagnostic("a drill asks for its name, and standard input is no terminal", hint=hint))
    with opened(terminal, path, var, var_file, data=False) as workspace, ExitStack() as resources:
        archive = archive_of(workspace, terminal)
        stage = workspace if speed is None else resources.enter_context(rehearsed(workspace, speed))
        drill = _read(stage, name)

        def approve(drill: Drill) -> bool:
            return yes or speed is not None or _typed(terminal, drill)

        with _crewed(terminal, stage, yes or not terminal.interactive, approve) as crew:
            return start(stage, drill, archive, crew, force=force)


def resume_drill(
    terminal: Terminal,
    name: str,
    path: Path,
    var: Sequence[str] | None,
    var_file: Sequence[Path] | None,
    *,
    yes: bool,
) -> Record:
    """Go on with the last run of a drill that is not over."""
    with opened(terminal, path, var, var_file, data=False) as workspace:
        archive = archive_of(workspace, terminal)
        drill = _read(workspace, name)
        unfinished = archive.unfinished(name)
        if not unfinished:
            hint = f"`reconciler drill run {name}` starts one; `reconciler drill status` shows how the last one ended"
            raise DiagnosticError(Diagnostic(f"no run of drill {name} waits to be gone on with", hint=hint))
        with _crewed(terminal, workspace, yes, lambda _: True) as crew:
            return resume(workspace, drill, unfinished[0], archive, crew)


def abort_drills(
    terminal: Terminal, name: str | None, path: Path, var: Sequence[str] | None, var_file: Sequence[Path] | None
) -> list[Record]:
    """End and clear one drill, or every drill that is declared, or has a run that is not over."""
    with opened(terminal, path, var, var_file, data=False) as workspace:
        archive = archive_of(workspace, terminal)
        known = drill_names(workspace.stack)
        recorded = [record.drill for record in archive.records()]
        if name is not None and name not in known and name not in recorded:
            near = did_you_mean(name, [*known, *recorded])
            if near is not None:
                raise DiagnosticError(Diagnostic(f'there is no drill "{name}"', hint=near))
        names = [name] if name is not None else list(dict.fromkeys([*known, *recorded]))
        with _crewed(terminal, workspace, True, lambda _: True) as crew:
            return [_aborted(terminal, workspace, each, archive, crew) for each in names]


def active_now(workspace: Workspace, recorded: Sequence[str]) -> tuple[dict[str, list[Observed]], str | None]:
    """The active alarms of each drill by their marks; or why that can't be asked."""
    names = dict.fromkeys([*drill_names(workspace.stack), *recorded])
    found: dict[str, list[Observed]] = {}
    try:
        for name in names:
            owner = drill_stack(workspace.stack.name, name)
            shown = [one for provider in workspace.providers.values() for one in provider.observe(owner, ())]
            found[name] = [one for one in shown if one.state is State.ACTIVE]
    except ServiceError as error:
        return found, str(error.detail)
    return found, None


def write_reports(terminal: Terminal, record: Record, html: Path | None, junit: Path | None) -> None:
    """Write the files asked for, each whole or not at all."""
    pages = [(html, record_html(record))] if html is not None else []
    pages += [(junit, record_junit(record, terminal.redactor))] if junit is not None else []
    for file, page in pages:
        partial = file.with_name(f".{file.name}.{os.getpid()}")
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(page, encoding="utf-8")
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
        terminal.tell([line("Wrote ", (printable(str(file)), Style.BOLD))])


def _read(workspace: Workspace, name: str) -> Drill:
    return read_drill(workspace.stack, name, list(workspace.registry), workspace.ask)


def _typed(terminal: Terminal, drill: Drill) -> bool:
    alarms = sum("timeout" in resource.desired.attributes for resource in drill.resources)
    question = [
        BLANK,
        line((f"This raises {alarms} alarms for real: people may be called.", Style.WARNING)),
        line(
            f"  `reconciler drill plan {printable(drill.name)}` shows each of them; --rehearse runs it on the emulator."
        ),
        BLANK,
    ]
    return terminal.ask(question, f"  Type the drill's name to start it ({printable(drill.name)}): ") == drill.name


def _aborted(terminal: Terminal, workspace: Workspace, name: str, archive: RunStore, crew: OperatorHooks) -> Record:
    """Abort one drill; a run that is alive is told to end, and waited for."""
    try:
        return abort(workspace, name, archive, crew)
    except LeaseHeldError as error:
        alive = [record for record in archive.unfinished(name) if record.pid == error.holder.pid]
        if not alive:
            raise
    record = alive[0]
    terminal.tell([line(f"Run {record.run} is under way, in process {record.pid}: it is told to end.")])
    archive.request_abort(record.run)
    waited = 0.0
    while waited < ABORT_PATIENCE and not crew.stop.is_set():
        record = archive.load(record.run)
        if record.over:
            archive.clear_abort(record.run)
            return record
        crew.stop.wait(_BLINK)
        waited += _BLINK
    return abort(workspace, name, archive, crew)


@contextmanager
def _crewed(
    terminal: Terminal, workspace: Workspace, unasked: bool, approve: Callable[[Drill], bool]
) -> Iterator[OperatorHooks]:
    """Somebody to confirm pauses, a watcher, and Ctrl-C that clears."""
    stop = Event()
    told = line((INTERRUPTED, Style.WARNING))
    with ExitStack() as resources:
        watcher: Watcher = Lines(terminal).watch
        away: Away = nullcontext
        if terminal.watched:
            from reconciler.cli.drill_board import DrillProgress

            board = resources.enter_context(DrillProgress(terminal, workspace.clock))
            watcher, away = board.watch, board.away
        resources.enter_context(stop_on_signal(stop, lambda: terminal.tell([told])))

        def asked(drill: Drill) -> bool:
            with away():
                return approve(drill)

        yield OperatorHooks(owner(), _confirmation(terminal, unasked, away), asked, watcher, stop)


def _confirmation(terminal: Terminal, unasked: bool, away: Away) -> Confirm:
    def confirm(question: str, attend: Callable[[], bool]) -> str | None:
        if unasked or not terminal.interactive:
            return "taken as confirmed (unasked)"
        with away():
            terminal.tell([BLANK, line((printable(question), Style.BOLD))])
            terminal.prompt("  Press Enter to confirm: ")
            while attend():
                if _typing(terminal):
                    return f"confirmed by {owner().name}" if terminal.stdin.readline() else None
            return None

    return confirm


def _typing(terminal: Terminal) -> bool:
    """Whether a line is there to be read; waits a moment for it."""
    try:
        return bool(select.select([terminal.stdin], [], [], _BLINK)[0])
    except (OSError, ValueError, TypeError):  # no file that could be waited for
        return True


class Lines:
    """Tells a run line by line."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._told = 0

    def watch(self, record: Record) -> None:
        """Tell what is new."""
        new = record.log[self._told :]
        self._told = len(record.log)
        if new:
            self._terminal.tell([remark_line(record, remark) for remark in new])
