"""Progress on standard error: a live display on a terminal, log records elsewhere."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Event

from reconciler.apply.options import Progress
from reconciler.checks.result import CheckResult
from reconciler.checks.run import CheckWatcher
from reconciler.cli.signals import stop_on_signal
from reconciler.cli.terminal import Terminal
from reconciler.core.clock import Clock
from reconciler.core.duration import format_instant
from reconciler.core.operation import Outcome, Status
from reconciler.core.text import printable
from reconciler.drill.record import Record
from reconciler.drill.store import Watcher
from reconciler.views.text.drill import remark_line
from reconciler.views.text.line import Style, line

INTERRUPTED = "Interrupted: requests in flight finish, then the run stops. Ctrl-C again exits at once."
CHECKS_INTERRUPTED = "Interrupted: canaries are cleared, then the checks stop. Ctrl-C again exits at once."
_apply_log = logging.getLogger("reconciler.apply")
_check_log = logging.getLogger("reconciler.checks")


@contextmanager
def working(terminal: Terminal, stop: Event) -> Iterator[Progress]:
    """The progress of one apply; Ctrl-C and a termination signal set ``stop``, with a message."""
    with stop_on_signal(stop, lambda: terminal.message([line((INTERRUPTED, Style.WARNING))])):
        if not terminal.watched:
            yield ApplyLogProgress()
            return
        from reconciler.cli.live import ApplyProgress

        with ApplyProgress(terminal) as shown:
            yield shown


@contextmanager
def check_progress(terminal: Terminal, stop: Event) -> Iterator[CheckWatcher]:
    """The progress of running checks; Ctrl-C and a termination signal set ``stop``, with a message."""
    with stop_on_signal(stop, lambda: terminal.message([line((CHECKS_INTERRUPTED, Style.WARNING))])):
        if not terminal.watched:
            yield CheckLogProgress()
            return
        from reconciler.cli.live import CheckProgress

        with CheckProgress(terminal) as shown:
            yield shown


class DrillWatcher:
    """The watcher of a drill: a live display on a terminal, a line for each log entry elsewhere."""

    def __init__(self, terminal: Terminal, clock: Clock) -> None:
        self._shown: AbstractContextManager[object] = nullcontext()
        self.update: Watcher = _LogLines(terminal).update
        if terminal.watched:
            from reconciler.cli.live import DrillProgress

            self._display = DrillProgress(terminal, clock)
            self._shown, self.update = self._display, self._display.update

    def __enter__(self) -> DrillWatcher:
        self._shown.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._shown.__exit__(None, None, None)

    def away(self) -> AbstractContextManager[None]:
        """Hide the display during a prompt."""
        return nullcontext() if isinstance(self._shown, nullcontext) else self._display.away()


class ApplyLogProgress:
    """Logs the progress of a run."""

    def __init__(self) -> None:
        self._total = 0
        self._ended = 0

    def started(self, total: int) -> None:
        self._total = total
        _apply_log.info("%d operations to send", total)

    def advanced(self, outcomes: Sequence[Outcome]) -> None:
        self.completed(len(outcomes))
        for outcome in outcomes:
            if outcome.status is not Status.DONE:
                _apply_log.info("operation %s: %s: %s", outcome.key, outcome.status, outcome.error)

    def completed(self, count: int) -> None:
        self._ended += count
        _apply_log.info("%d of %d operations ended", self._ended, self._total)

    def verifying(self, waiting: int, until: int) -> None:
        _apply_log.info(
            "verifying: the effect of %d operations is not visible yet; waiting until %s",
            waiting,
            format_instant(until),
        )

    def report(self, text: str) -> None:
        _apply_log.info("%s", printable(text))


class CheckLogProgress:
    """Logs the state of checks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reasons: dict[str, str] = {}

    def started(self, name: str, about: str) -> None:
        _check_log.info("check %s: querying %s", name, about)

    def polled(self, name: str, reason: str) -> None:
        with self._lock:
            if self._reasons.get(name) == reason:
                return
            self._reasons[name] = reason
        _check_log.info("check %s: %s", name, printable(reason))

    def ended(self, result: CheckResult) -> None:
        _check_log.info("check %s: %s: %s", result.name, result.status, printable(result.outcome.reason))


class _LogLines:
    """Writes a line for each new entry of a drill's log."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._shown = 0

    def update(self, record: Record) -> None:
        new = record.log[self._shown :]
        self._shown = len(record.log)
        if new:
            self._terminal.message([remark_line(record, entry) for entry in new])
