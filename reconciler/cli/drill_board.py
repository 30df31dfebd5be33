"""The board of a running drill, for a terminal: the timeline, what is raised, latencies, and what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reconciler.cli.live import LiveDisplay, drawing_console
from reconciler.cli.terminal import Terminal
from reconciler.core.clock import Clock
from reconciler.drill.record import Record, StepState
from reconciler.views.phrases.drill import latency, offset, slip, state_of
from reconciler.views.printable import printable
from reconciler.views.text.drill import ACTIONS, STATES

_LONGEST = 60
_MOST = 12
"""How many steps and alarms are shown at once."""


class DrillProgress:
    """Draws a run while it goes on; it vanishes at the end, and the report takes its place."""

    def __init__(self, terminal: Terminal, clock: Clock) -> None:
        self._terminal = terminal
        self._clock = clock
        self._record: Record | None = None
        self._live = Live(
            console=drawing_console(terminal), get_renderable=self._drawn, refresh_per_second=4, transient=True
        )
        self._drawing = LiveDisplay(terminal, self._live)

    def __enter__(self) -> DrillProgress:
        self._drawing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._drawing.stop()

    def watch(self, record: Record) -> None:
        """Show the newest state of the run from now on."""
        self._record = record

    @contextmanager
    def away(self) -> Iterator[None]:
        """Make room for a question."""
        self._drawing.stop()
        try:
            yield
        finally:
            self._drawing.start()

    def _drawn(self) -> RenderableType:
        record = self._record
        if record is None:
            return Text("")
        return Group(
            self._head(record), Text(""), self._steps(record), Text(""), self._sent(record), self._next(record)
        )

    def _head(self, record: Record) -> Text:
        now = self._clock.now()
        kind = f"rehearsal, {record.speed:g}× speed" if record.rehearsal else "for real"
        return Text.assemble(
            (self._text(record.drill), "bold"),
            (f"  {kind}  ", "dim"),
            (offset(record.at(now)) if record.started_at is not None else "before the beginning", "bold cyan"),
        )

    def _steps(self, record: Record) -> Table:
        """The steps around the present one."""
        table = Table.grid(padding=(0, 2))
        taken = sum(step.ended_at is not None for step in record.steps)
        first = max(0, min(taken - _MOST // 2, len(record.steps) - _MOST))
        for step in record.steps[first : first + _MOST]:
            sign, style = STATES[step.state]
            table.add_row(
                Text(offset(step.planned), "dim"),
                Text(sign, style.value),
                Text(step.action, ACTIONS[step.action][1].value),
                Text(self._text(step.name), "bold" if step.state is StepState.RUNNING else ""),
                Text(slip(step), "yellow"),
                Text(self._text(step.outcome or step.about), "" if step.outcome else "dim"),
            )
        return table

    def _sent(self, record: Record) -> Table:
        table = Table.grid(padding=(0, 2))
        if record.sent:
            table.add_row(*(Text(head, "dim") for head in ("", "", "visible", "notified")))
        for sent in record.sent[-_MOST:]:
            colour = "red" if sent.active else "green" if sent.ended_at is not None else "cyan"
            table.add_row(
                Text(self._text(sent.address)),
                Text(state_of(sent), colour),
                Text(latency(sent.visible_after)),
                Text(latency(sent.notified_after)),
            )
        return table

    def _next(self, record: Record) -> Text:
        waiting = next((step for step in record.steps if step.state is StepState.WAITING), None)
        if waiting is None or record.started_at is None or record.over:
            return Text("")
        left = record.started_at + waiting.planned + record.held - self._clock.now()
        when = f"in {latency(left)}" if left > 0 else "now"
        return Text(f"\nnext: {waiting.action} {self._text(waiting.name)} {when}", "dim")

    def _text(self, text: str) -> str:
        shown = self._terminal.redactor(printable(text))
        return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
