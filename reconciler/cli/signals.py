"""Interrupts: the first asks a run to stop, the second ends the process (DESIGN rule 13)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from types import FrameType

from reconciler.cli.exit_code import ExitCode

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signal(stop: Event, told: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C and a termination signal set ``stop``, and call ``told`` when one does.

    A second signal ends the process at once: every intent is in the ledger, and the next run settles it.
    """

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(ExitCode.INTERRUPTED)
        stop.set()
        told()

    if current_thread() is not main_thread():  # only the main thread may handle signals
        yield
        return
    before = {number: signal.signal(number, handle) for number in SIGNALS if _is_handled(number)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def sigterm_as_interrupt() -> None:
    """Let a termination signal end a command the way Ctrl-C does: leases are released, files closed."""
    if current_thread() is main_thread() and _is_handled(signal.SIGTERM):
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _is_handled(number: signal.Signals) -> bool:
    """Whether a signal means anything here: who starts a process may have it ignored (nohup, a shell's &)."""
    return signal.getsignal(number) is not signal.SIG_IGN
