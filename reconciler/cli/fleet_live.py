"""The live display of a fleet: running stacks with their workers, and how many have ended in each state."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reconciler.app.unit import Unit, UnitResult
from reconciler.cli.fleet_progress import ended_line
from reconciler.cli.live import LiveDisplay, live_console
from reconciler.cli.terminal import Terminal
from reconciler.core.duration import rough_duration
from reconciler.core.system_clock import monotonic
from reconciler.core.text import printable
from reconciler.views.phrases.plan import count

_MAX_ROWS = 12
"""How many running stacks are shown at once."""
_BAR = 30


class FleetProgress:
    """Shows the running stacks; disappears when all have ended. A failure is printed above it, and stays."""

    def __init__(self, terminal: Terminal, total: int, monotonic: Callable[[], int] = monotonic) -> None:
        self._monotonic = monotonic
        self._terminal = terminal
        self._total = total
        self._ended = 0
        self._failed = 0
        self._running: dict[str, tuple[Unit, str, int]] = {}
        console = live_console(terminal)
        self._live = Live(console=console, get_renderable=self._drawn, refresh_per_second=4, transient=True)
        self._drawing = LiveDisplay(terminal, self._live)

    def __enter__(self) -> FleetProgress:
        self._drawing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._drawing.stop()

    def started(self, unit: Unit, worker: str) -> None:
        self._running[unit.id] = (unit, worker, self._monotonic())

    def finished(self, result: UnitResult) -> None:
        self._running.pop(result.unit.id, None)
        self._ended += 1
        self._failed += result.is_failure
        self._live.refresh()
        if result.is_failure:
            self._terminal.message([ended_line(result, self._ended, self._total)])

    def _drawn(self) -> RenderableType:
        head = Table.grid(padding=(0, 1))
        told = f"{self._ended:,} of {count(self._total, 'stack')}"
        failed = Text(f"{self._failed:,} failed", "bold red") if self._failed else Text("")
        head.add_row(ProgressBar(self._total, self._ended, width=_BAR), Text(told, "bold"), failed)
        rows = Table.grid(padding=(0, 2))
        for unit, worker, began in list(self._running.values())[:_MAX_ROWS]:
            took = rough_duration(self._monotonic() - began)
            name = Text(self._terminal.redactor.redact(printable(unit.id)), no_wrap=True, overflow="ellipsis")
            rows.add_row(name, Text(took), Text(worker, "dim", no_wrap=True))
        more = len(self._running) - _MAX_ROWS
        return Group(head, rows, Text(f"and {more} more", "dim")) if more > 0 else Group(head, rows)
