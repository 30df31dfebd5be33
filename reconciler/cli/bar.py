"""The progress bar of a run, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from reconciler.cli.live import LiveDisplay, drawing_console
from reconciler.cli.terminal import Terminal
from reconciler.core.operation import Outcome, Status
from reconciler.views.printable import printable


class ApplyProgress:
    """Draws how far a run is; it vanishes when the run ends, and what was worth a line stays."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._console = drawing_console(terminal)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
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
        description = f"Applying, {self._bad:,} not done" if self._bad else "Applying"
        self._progress.update(self._sending, advance=len(outcomes), description=description)

    def verifying(self, waiting: int) -> None:
        if not self._waited_for:
            self._progress.update(self._sending, visible=False)
            self._progress.start_task(self._verifying)
        self._waited_for = max(self._waited_for, waiting)
        shown = self._waited_for - waiting
        self._progress.update(self._verifying, total=self._waited_for, completed=shown, visible=True)

    def note(self, text: str) -> None:
        self._console.print(Text(self._terminal.redactor(printable(text)), style="dim"))
