"""The operator of a drill at a terminal: approves the start, confirms pauses, shows progress, handles interrupts."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from threading import Event
from typing import TYPE_CHECKING

from reconciler.app.drill import Hooks
from reconciler.app.ledger import owner
from reconciler.cli.progress import DrillWatcher
from reconciler.cli.signals import stop_on_signal
from reconciler.cli.terminal import Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import in_seconds
from reconciler.core.system_clock import sleep
from reconciler.core.text import printable
from reconciler.drill.context import Confirm, OperatorHooks
from reconciler.drill.drill import Drill
from reconciler.drill.record import Record, StepState
from reconciler.session.workspace import Workspace
from reconciler.views.phrases.drill import places
from reconciler.views.text.line import BLANK, Style, line

if TYPE_CHECKING:
    from reconciler.live.live_run import LiveRun
    from reconciler.live.server import LivePage

INTERRUPTED = "Interrupted: the drill clears its alarms, then ends. Ctrl-C again exits at once."
ABORT_INTERRUPTED = "Interrupted: active alarms of the drill are cleared first. Ctrl-C again exits at once."
AUTOMATIC = "confirmed automatically"
_POLL = 200
_PROMPT = "  Continue? Type yes, or no to clear everything and end the drill: "


def check_approvable(terminal: Terminal, *, yes: bool) -> None:
    """Raise DiagnosticError if no one can approve the start, before any service is queried."""
    if not yes and not terminal.interactive:
        hint = "add --yes; `reconciler drill plan` shows beforehand what would be sent"
        summary = "starting a drill requires its name, and standard input is not a terminal"
        raise DiagnosticError(Diagnostic(summary, hint=hint))


def drill_hooks(
    terminal: Terminal,
    command: Callable[[str], str],
    *,
    automatic: bool,
    approved: bool = True,
    page: LivePage | None = None,
    interrupted: str = INTERRUPTED,
) -> Hooks:
    """The operator of a run: with ``automatic`` pauses need no answer; without ``approved`` its name is asked.

    ``command`` makes the command lines of hints; ``page`` is where the run is shown to browsers; ``interrupted`` is the
    message after Ctrl-C.
    """

    @contextmanager
    def hooks(workspace: Workspace) -> Iterator[OperatorHooks]:
        stop = Event()
        message = line((interrupted, Style.WARNING))
        with (
            DrillWatcher(terminal, workspace.clock) as watcher,
            stop_on_signal(stop, lambda: terminal.message([message])),
            _shown_live(terminal, page, workspace) as live_run,
        ):

            def update(record: Record) -> None:
                watcher.update(record)
                if live_run is not None:
                    live_run.update(record)

            def approve(drill: Drill) -> bool:
                with watcher.away():
                    return approved or _name_typed(terminal, drill, workspace)

            confirm = _confirmation(terminal, watcher.away, live_run, automatic=automatic)
            aborted = live_run.aborted if live_run is not None else lambda: False
            yield OperatorHooks(owner(), confirm, approve, update, stop, command, aborted)

    return hooks


@contextmanager
def _shown_live(terminal: Terminal, page: LivePage | None, workspace: Workspace) -> Iterator[LiveRun | None]:
    """The live run, while its page is served; None without a page."""
    if page is None:
        yield None
        return
    from reconciler.live.server import serving_page

    try:
        with serving_page(page, workspace.clock, terminal.redactor.redact_tree) as (live_run, url):
            terminal.message([line("Watch the drill at ", (f"{url}/", Style.BOLD))])
            terminal.message([line("Answer and abort at ", (f"{url}/#token={page.token}", Style.BOLD))])
            yield live_run
    except OSError as error:
        hint = "choose another --port or --bind"
        summary = f"cannot serve the page on {page.host}:{page.port}: {error.strerror or error}"
        raise DiagnosticError(Diagnostic(summary, hint=hint)) from None


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


def _confirmation(
    terminal: Terminal, away: Callable[[], AbstractContextManager[None]], live_run: LiveRun | None, *, automatic: bool
) -> Confirm:
    """Confirms a pause, at the terminal or on the page: only ``yes`` continues; after ``no`` the drill clears
    and ends.
    """

    def confirm(record: Record, question: str, attend: Callable[[], bool]) -> str | None:
        if automatic or (live_run is None and not terminal.interactive):
            return AUTOMATIC
        step = next(step.name for step in record.steps if step.state is StepState.RUNNING)
        with away():
            where = f"Drill {record.drill}" + (f" at {places(record)}" if record.targets else "")
            terminal.message([BLANK, line(printable(where)), line((printable(question), Style.BOLD))])
            if terminal.interactive:
                _discard_typed_ahead(terminal)
                terminal.prompt(_PROMPT)
            while attend():
                on_page = None if live_run is None else live_run.answered(step)
                if on_page is not None:
                    terminal.message([BLANK, line("Answered on the page.")])
                answer = _typed_answer(terminal) if on_page is None else "yes" if on_page else "no"
                if answer == "yes":
                    return f"confirmed by {owner().name}" if on_page is None else "confirmed on the page"
                if answer is not None:
                    told = "Not confirmed" if answer else "No answer"
                    terminal.message([line((f"{told}: clearing everything, then the drill ends.", Style.WARNING))])
                    return None
            return None

    return confirm


def _typed_answer(terminal: Terminal) -> str | None:
    """The typed answer, empty at the end of input; None if there is none after a moment."""
    if not terminal.interactive:
        sleep(_POLL)
        return None
    if not _is_typed(terminal):
        return None
    text = terminal.stdin.readline()
    answer = {"y": "yes", "yes": "yes", "n": "no", "no": "no"}.get(text.strip().lower())
    if answer is None and text:
        terminal.prompt(_PROMPT)
    return answer if text else ""


def _discard_typed_ahead(terminal: Terminal) -> None:
    """Discard input typed before the question was shown."""
    try:
        import termios
    except ImportError:  # this system has no such terminals
        return
    with suppress(OSError, ValueError, termios.error):
        termios.tcflush(terminal.stdin, termios.TCIFLUSH)


def _is_typed(terminal: Terminal) -> bool:
    """Whether a line can be read, after waiting a moment."""
    try:
        return bool(select.select([terminal.stdin], [], [], in_seconds(_POLL))[0])
    except (OSError, ValueError, TypeError):  # not a file descriptor
        return True
