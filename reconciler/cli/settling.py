"""Settling at the edges: asking what became of operations that earlier runs left open; ``apply`` begins with it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from threading import Event

from reconciler.app.owner import owner
from reconciler.apply.lease import leased
from reconciler.apply.settle import Settlement, resolve_open_intents
from reconciler.cli.exit_code import ExitCode
from reconciler.cli.progress import watching
from reconciler.cli.signals import stop_on_signal
from reconciler.cli.terminal import DataFormat, Terminal
from reconciler.ledger.protocol import Ledger
from reconciler.session.workspace import Workspace
from reconciler.views.json.settlement import settlement_document
from reconciler.views.text.line import Style, line
from reconciler.views.text.settlement import settled_lines

INTERRUPTED = "Interrupted: what is under way finishes, then the run ends. Ctrl-C again exits at once."


def settle_only(terminal: Terminal, workspace: Workspace, format: DataFormat) -> ExitCode:
    """Take the lease, settle what is open, and show what was found; a stack without a ledger has nothing open."""
    found, stop = Settlement(), Event()
    if workspace.ledger_path.exists():
        ledger = workspace.open_ledger()
        with leased(ledger, owner(), workspace.clock, stop):
            found = settle_open(terminal, workspace, ledger, stop)
    terminal.show(format, text=lambda: settled_lines(found), document=lambda: settlement_document(found))
    if stop.is_set():
        return ExitCode.INTERRUPTED
    return ExitCode.PARTIAL if found.open else ExitCode.DONE


def settle_open(terminal: Terminal, workspace: Workspace, ledger: Ledger, stop: Event) -> Settlement:
    """Settle what is open, progress shown, until ``stop`` is set; the caller holds the lease."""
    with stoppable(terminal, stop), watching(terminal) as progress:
        return resolve_open_intents(ledger, workspace.providers, workspace.clock, stop, progress)


def stoppable(terminal: Terminal, stop: Event) -> AbstractContextManager[None]:
    """Let Ctrl-C and a termination signal set ``stop``, and say so."""
    return stop_on_signal(stop, lambda: terminal.tell([line((INTERRUPTED, Style.WARNING))]))
