"""A worker process of the processes engine: reads units from standard input, writes results to standard output.

Both are lines of JSON. The parent handles Ctrl-C. SIGTERM asks the running unit to stop cleanly, and so does the end of
standard input, which occurs when the parent dies.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import TextIO

from reconciler.app.run_batch import run_batch
from reconciler.app.unit import Unit, UnitResult, UnitState, parse_units, result_json
from reconciler.core.exit_code import ExitCode
from reconciler.core.gc_tuning import collect_rarely
from reconciler.core.signals import call_outside_handler
from reconciler.fleet.processes import BEGAN


class Interrupts:
    """Stop requests: they set the current listener's event, or raise KeyboardInterrupt if there is none."""

    def __init__(self) -> None:
        self._events: list[threading.Event] = []
        self._asked = False
        self.running = False

    def handle(self, _signal: int, _frame: FrameType | None) -> None:
        """Handle the signal."""
        again, self._asked = self._asked, True
        if self._events:
            call_outside_handler(self._set_events)
        elif self.running and not again:
            raise KeyboardInterrupt

    def begin(self) -> None:
        """Start units. Raises KeyboardInterrupt if a stop request came first."""
        self.running = True
        if self._asked:
            raise KeyboardInterrupt

    def _set_events(self) -> None:
        for event in list(self._events):
            event.set()

    @contextmanager
    def listening(self, event: threading.Event) -> Iterator[None]:
        """While the block runs, set the event on a stop request, including an earlier one."""
        self._events.append(event)
        try:
            if self._asked:
                event.set()
            yield
        finally:
            self._events.remove(event)


def serve(lines: TextIO, out: TextIO, workers: int) -> None:
    """Run units until the input ends; ``workers`` processes share the work."""
    waiting: SimpleQueue[str | None] = SimpleQueue()
    interrupts = Interrupts()
    signal.signal(signal.SIGTERM, interrupts.handle)

    def read() -> None:
        for text in lines:
            waiting.put(text)
        waiting.put(None)
        if interrupts.running:  # the parent has ended, and nobody reads the other results
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=read, name="units", daemon=True).start()
    while (text := waiting.get()) is not None:
        units = parse_units(text)
        left = list(units)

        def began(unit: Unit, units: list[Unit] = units) -> None:
            print(BEGAN, units.index(unit), file=out, flush=True)

        print(BEGAN, file=out, flush=True)
        try:
            interrupts.begin()
            for result in run_batch(units, interrupts.listening, began=began, workers=workers):
                left.remove(result.unit)
                print(result_json(result), file=out, flush=True)
            interrupts.running = False
        except KeyboardInterrupt:  # the request came just before or after the work on a unit
            interrupts.running = False
            for unit in left:
                result = UnitResult(unit, UnitState.INTERRUPTED, ExitCode.INTERRUPTED)
                print(result_json(result), file=out, flush=True)


def main() -> None:
    """Serve on the standard streams, as one of several workers; what libraries print goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    collect_rarely()
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin, out, int(sys.argv[1]))
    # Everything is closed and written: skip the interpreter's cleanup.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
