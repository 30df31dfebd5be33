"""The operator of a drill at a terminal: approves its start, confirms its pauses, watches, interrupts."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from threading import Event

from reconciler.app.drill import Hooks
from reconciler.app.ledger import owner
from reconciler.cli.progress import DrillWatcher
from reconciler.cli.signals import stop_on_signal
from reconciler.cli.terminal import Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.text import printable
from reconciler.drill.context import Confirm, OperatorHooks
from reconciler.drill.drill import Drill
from reconciler.drill.record import Record
from reconciler.session.workspace import Workspace
from reconciler.views.phrases.drill import places
from reconciler.views.text.line import BLANK, Style, line

INTERRUPTED = "Interrupted: the drill clears its alarms, then ends. Ctrl-C again exits at once."
AUTOMATIC = "confirmed automatically"
_POLL = 0.2


def check_approvable(terminal: Terminal, *, yes: bool) -> None:
    """Raise DiagnosticError if nobody could approve the start, before any service is queried."""
    if not yes and not terminal.interactive:
        hint = "add --yes; `reconciler drill plan` shows beforehand what would be sent"
        summary = "starting a drill requires its name, and standard input is not a terminal"
        raise DiagnosticError(Diagnostic(summary, hint=hint))


def drill_hooks(terminal: Terminal, command: Callable[[str], str], *, automatic: bool, approved: bool = True) -> Hooks:
    """The operator of a run: with ``automatic`` pauses confirm themselves; without ``approved`` its name is asked.

    ``command`` makes the command lines of hints.
    """

    @contextmanager
    def hooks(workspace: Workspace) -> Iterator[OperatorHooks]:
        stop = Event()
        message = line((INTERRUPTED, Style.WARNING))
        with (
            DrillWatcher(terminal, workspace.clock) as watcher,
            stop_on_signal(stop, lambda: terminal.message([message])),
        ):

            def approve(drill: Drill) -> bool:
                with watcher.away():
                    return approved or _name_typed(terminal, drill, workspace)

            confirm = _confirmation(terminal, watcher.away, automatic=automatic)
            yield OperatorHooks(owner(), confirm, approve, watcher.watch, stop, command)

    return hooks


def _name_typed(terminal: Terminal, drill: Drill, workspace: Workspace) -> bool:
    alarms = sum("timeout" in resource.desired.attributes for resource in drill.resources)
    places = dict.fromkeys(workspace.targets[key].label for key in drill.providers)
    question = [
        BLANK,
        line((f"This raises {alarms} alarms for real: people may be paged.", Style.WARNING)),
        *(line("  at ", (printable(place), Style.BOLD)) for place in places),
        line(
            f"  `reconciler drill plan {printable(drill.name)}` shows each of them; --rehearse runs it on the emulator."
        ),
        BLANK,
    ]
    return terminal.ask(question, f"  Type the drill's name to start it ({printable(drill.name)}): ") == drill.name


def _confirmation(terminal: Terminal, away: Callable[[], AbstractContextManager[None]], *, automatic: bool) -> Confirm:
    """Answers a pause: only ``yes`` continues; after ``no`` the drill clears and ends."""

    def confirm(record: Record, question: str, attend: Callable[[], bool]) -> str | None:
        if automatic or not terminal.interactive:
            return AUTOMATIC
        with away():
            where = f"Drill {record.drill}" + (f" at {places(record)}" if record.targets else "")
            terminal.message([BLANK, line(printable(where)), line((printable(question), Style.BOLD))])
            _discard_typed_ahead(terminal)
            prompt = "  Continue? Type yes, or no to clear everything and end the drill: "
            terminal.prompt(prompt)
            while attend():
                if not _is_typed(terminal):
                    continue
                text = terminal.stdin.readline()
                answer = text.strip().lower()
                if answer in ("y", "yes"):
                    return f"confirmed by {owner().name}"
                if answer in ("n", "no") or not text:
                    told = "Not confirmed" if text else "No answer"
                    terminal.message([line((f"{told}: clearing everything, then the drill ends.", Style.WARNING))])
                    return None
                terminal.prompt(prompt)
            return None

    return confirm


def _discard_typed_ahead(terminal: Terminal) -> None:
    """Forget what was typed before the question was shown."""
    try:
        import termios
    except ImportError:  # no such terminals here
        return
    with suppress(OSError, ValueError, termios.error):
        termios.tcflush(terminal.stdin, termios.TCIFLUSH)


def _is_typed(terminal: Terminal) -> bool:
    """Whether a line can be read; waits a moment for it."""
    try:
        return bool(select.select([terminal.stdin], [], [], _POLL)[0])
    except (OSError, ValueError, TypeError):  # not a file descriptor
        return True
