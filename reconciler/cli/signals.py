"""Signals: the first asks a run to stop, a later one ends the process (rule 13)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from threading import Event, current_thread, main_thread
from types import FrameType

from reconciler.cli.command import ExitCode
from reconciler.core.signals import call_outside_handler
from reconciler.core.system_clock import monotonic

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
SAME_KEY_PRESS = 2_000
"""How long (ms) further signals count as the first one: a process group and a wrapper may both deliver Ctrl-C."""


@contextmanager
def stop_on_signal(stop: Event, message: Callable[[], None]) -> Iterator[None]:
    """Set ``stop`` on Ctrl-C, a termination signal or a hang-up, and call ``message``.

    A later signal ends the process at once: every intent is in the ledger, and the next run settles it.
    """
    first: list[int] = []
    handled: SimpleQueue[None] = SimpleQueue()

    def set_stop() -> None:
        try:
            stop.set()
            with suppress(OSError):  # the terminal itself may have hung up
                message()
        finally:
            handled.put(None)

    def handle(_signal: int, _frame: FrameType | None) -> None:
        now = monotonic()
        if first and now - first[0] > SAME_KEY_PRESS:
            os._exit(ExitCode.INTERRUPTED)
        if not first:
            first.append(now)
            call_outside_handler(set_stop)

    if current_thread() is not main_thread():  # only the main thread may handle signals
        yield
        return
    before = {number: signal.signal(number, handle) for number in SIGNALS if _is_handled(number)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if first:
            handled.get()


def sigterm_as_interrupt() -> None:
    """Make SIGTERM and SIGHUP end a command as Ctrl-C does: leases are released, files closed."""
    if current_thread() is not main_thread():
        return
    for number in SIGNALS:
        if number != signal.SIGINT and _is_handled(number):
            signal.signal(number, signal.default_int_handler)


def _is_handled(number: signal.Signals) -> bool:
    """Whether a signal is not ignored; a parent process may have it ignored (nohup, a shell's &)."""
    return signal.getsignal(number) is not signal.SIG_IGN
