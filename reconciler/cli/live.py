"""Live displays on standard error: the progress of a run, of checks or of a drill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from reconciler.checks.result import CheckResult
from reconciler.cli.terminal import Terminal
from reconciler.core.clock import Clock
from reconciler.core.duration import format_instant
from reconciler.core.operation import Outcome, Status
from reconciler.core.text import printable
from reconciler.drill.record import Record, StepState
from reconciler.views.phrases.drill import latency, offset, slip, state_of
from reconciler.views.text.check import SIGNS, STYLES
from reconciler.views.text.drill import ACTIONS, STATES

_MAX_TEXT = 60
_MAX_REASON = 80
_MAX_ROWS = 12
"""How many steps and alarms are shown at once."""


class LiveRenderable(Protocol):
    """A renderable that Rich redraws."""

    @property
    def console(self) -> Console: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


def live_console(terminal: Terminal) -> Console:
    """The console to draw on."""
    return Console(file=terminal.stderr, no_color=not terminal.color)


class LiveDisplay:
    """A live display; while it is shown, the terminal writes above it."""

    def __init__(self, terminal: Terminal, drawn: LiveRenderable) -> None:
        self._terminal = terminal
        self._drawn = drawn

    def start(self) -> None:
        self._drawn.start()
        self._terminal.live_writer = self._write

    def stop(self) -> None:
        self._terminal.live_writer = None
        self._drawn.stop()

    def _write(self, text: str) -> None:
        self._drawn.console.print(Text.from_ansi(text.removesuffix("\n")), soft_wrap=True)


class ApplyProgress:
    """Shows the progress of a run; disappears when it ends, messages stay."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._above = live_console(terminal)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._above,
            transient=True,
        )
        self._drawing = LiveDisplay(terminal, self._progress)
        self._sending = self._progress.add_task("Applying", total=None, visible=False)
        self._verifying = self._progress.add_task("Verifying", total=None, visible=False, start=False)
        self._waited_for = 0
        self._bad = 0

    def __enter__(self) -> ApplyProgress:
        self._drawing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._drawing.stop()

    def started(self, total: int) -> None:
        self._progress.update(self._sending, total=total, visible=True)

    def advanced(self, outcomes: Sequence[Outcome]) -> None:
        self._bad += sum(outcome.status is not Status.DONE for outcome in outcomes)
        self.completed(len(outcomes))

    def completed(self, count: int) -> None:
        description = f"Applying, {self._bad:,} not done" if self._bad else "Applying"
        self._progress.update(self._sending, advance=count, description=description)

    def verifying(self, waiting: int, until: int) -> None:
        if not self._waited_for:
            self._progress.update(self._sending, visible=False)
            self._progress.start_task(self._verifying)
        self._waited_for = max(self._waited_for, waiting)
        shown = self._waited_for - waiting
        told = f"Verifying, until {format_instant(until)} at the latest"
        self._progress.update(self._verifying, description=told, total=self._waited_for, completed=shown, visible=True)

    def report(self, text: str) -> None:
        self._above.print(Text(self._terminal.redactor.redact(printable(text)), style="dim"))


class CheckProgress:
    """Shows the state of each check; disappears when all have ended."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[told]}", style="dim"),
            console=live_console(terminal),
            transient=True,
        )
        self._drawing = LiveDisplay(terminal, self._progress)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> CheckProgress:
        self._drawing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._drawing.stop()

    def started(self, name: str, about: str) -> None:
        self._tasks[name] = self._progress.add_task(self._text(name), total=1, told=self._text(about))

    def polled(self, name: str, reason: str) -> None:
        self._progress.update(self._tasks[name], told=self._text(reason))

    def ended(self, result: CheckResult) -> None:
        head = f"[{STYLES[result.status]}]{SIGNS[result.status]}[/] {self._text(result.name)}"
        told = self._text(result.outcome.reason)
        if result.name in self._tasks:
            self._progress.update(self._tasks[result.name], description=head, completed=1, told=told)

    def _text(self, text: str) -> str:
        shown = self._terminal.redactor.redact(printable(text))
        return escape(shown if len(shown) <= _MAX_REASON else f"{shown[:_MAX_REASON]}…")


class DrillProgress:
    """Shows a running drill: its timeline, alarms, latencies, next step; disappears at the end."""

    def __init__(self, terminal: Terminal, clock: Clock) -> None:
        self._terminal = terminal
        self._clock = clock
        self._record: Record | None = None
        self._live = Live(
            console=live_console(terminal), get_renderable=self._drawn, refresh_per_second=4, transient=True
        )
        self._drawing = LiveDisplay(terminal, self._live)

    def __enter__(self) -> DrillProgress:
        self._drawing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._drawing.stop()

    def update(self, record: Record) -> None:
        """Show the newest state of the run."""
        self._record = record

    @contextmanager
    def away(self) -> Iterator[None]:
        """Hide the display during a prompt."""
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
        """The steps around the current one."""
        table = Table.grid(padding=(0, 2))
        taken = sum(step.ended_at is not None for step in record.steps)
        first = max(0, min(taken - _MAX_ROWS // 2, len(record.steps) - _MAX_ROWS))
        for step in record.steps[first : first + _MAX_ROWS]:
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
        if record.emissions:
            table.add_row(*(Text(head, "dim") for head in ("", "", "visible", "notified")))
        for sent in record.emissions[-_MAX_ROWS:]:
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
        left = record.started_at + waiting.planned + record.paused_for - self._clock.now()
        when = f"in {latency(left)}" if left > 0 else "now"
        return Text(f"\nnext: {waiting.action} {self._text(waiting.name)} {when}", "dim")

    def _text(self, text: str) -> str:
        shown = self._terminal.redactor.redact(printable(text))
        return shown if len(shown) <= _MAX_TEXT else f"{shown[:_MAX_TEXT]}…"
