"""Progress of a fleet on standard error: a live table on a terminal, otherwise a line for each stack that has ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

from reconciler.app.unit import Unit, UnitResult
from reconciler.cli.signals import stop_on_signal
from reconciler.cli.terminal import Terminal
from reconciler.core.duration import rough_duration
from reconciler.core.text import printable
from reconciler.fleet.run import Watcher
from reconciler.views.phrases.fleet import unit_summary
from reconciler.views.text.fleet import result_span
from reconciler.views.text.line import Line, Style, line

INTERRUPTED = "Interrupted: running stacks stop cleanly, and no more are started. Ctrl-C again exits at once."
_log = logging.getLogger("reconciler.fleet")


@contextmanager
def watching(terminal: Terminal, total: int) -> Iterator[Watcher]:
    """The watcher of a fleet with this number of units."""
    if not terminal.watched:
        yield FleetLines(terminal, total)
        return
    from reconciler.cli.fleet_live import FleetProgress

    with FleetProgress(terminal, total) as shown:
        yield shown


@contextmanager
def stop_on_interrupt(terminal: Terminal, stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` on Ctrl-C and on a termination signal, with a message."""

    def interrupted() -> None:
        stop()
        terminal.message([line((INTERRUPTED, Style.WARNING))])

    with stop_on_signal(Event(), interrupted):
        yield


class FleetLines:
    """Writes a line for each stack that has ended; starts are only logged."""

    def __init__(self, terminal: Terminal, total: int) -> None:
        self._terminal = terminal
        self._total = total
        self._ended = 0

    def started(self, unit: Unit, worker: str) -> None:
        _log.info("%s: begun by %s", unit.id, worker)

    def finished(self, result: UnitResult) -> None:
        self._ended += 1
        self._terminal.message([ended_line(result, self._ended, self._total)])


def ended_line(result: UnitResult, number: int, total: int) -> Line:
    """``[3/12] stacks/a: changes: 2 to create  (0.4s, process 123)``."""
    word, style = result_span(result)
    told = printable(unit_summary(result))
    took = rough_duration(result.ended_at - result.started_at) if result.started_at else ""
    who = ", ".join(filter(None, [took, result.worker]))
    return line(
        (f"[{number}/{total}] ", Style.DIM),
        (printable(result.unit.id), Style.BOLD),
        ": ",
        (word, style),
        f": {told}" if told else "",
        (f"  ({who})" if who else "", Style.DIM),
        hang=4,
    )
