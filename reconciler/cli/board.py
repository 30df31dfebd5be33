"""The board of running checks, for a terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from reconciler.checks.result import CheckResult
from reconciler.cli.live import LiveDisplay, drawing_console
from reconciler.cli.terminal import Terminal
from reconciler.views.printable import printable
from reconciler.views.text.check import SIGNS, STYLES

_LONGEST = 80


class CheckProgress:
    """Draws each check with how it stands; it vanishes when all have ended, and the table takes its place."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[told]}", style="dim"),
            console=drawing_console(terminal),
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
        head = f"[{STYLES[result.verdict]}]{SIGNS[result.verdict]}[/] {self._text(result.name)}"
        told = self._text(result.found.reason)
        if result.name in self._tasks:
            self._progress.update(self._tasks[result.name], description=head, completed=1, told=told)

    def _text(self, text: str) -> str:
        shown = self._terminal.redactor(printable(text))
        return escape(shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…")
