"""Progress on standard error: a bar where somebody watches, log records elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from reconciler.apply.progress import Progress
from reconciler.cli.terminal import Terminal
from reconciler.core.operation import Outcome, Status
from reconciler.views.printable import printable

_log = logging.getLogger("reconciler.apply")


@contextmanager
def watching(terminal: Terminal) -> Iterator[Progress]:
    """The watcher of one run."""
    if not terminal.watched:
        yield LogProgress()
        return
    from reconciler.cli.bar import ApplyProgress

    with ApplyProgress(terminal) as bar:
        yield bar


class LogProgress:
    """Tells a run to the log."""

    def __init__(self) -> None:
        self._total = 0
        self._ended = 0

    def started(self, total: int) -> None:
        self._total = total
        _log.info("%d operations to send", total)

    def advanced(self, outcomes: Sequence[Outcome]) -> None:
        self._ended += len(outcomes)
        _log.info("%d of %d operations ended", self._ended, self._total)
        for outcome in outcomes:
            if outcome.status is not Status.DONE:
                _log.info("operation %s: %s: %s", outcome.key, outcome.status, outcome.error)

    def verifying(self, waiting: int) -> None:
        _log.info("verifying: the effect of %d operations is not visible yet", waiting)

    def note(self, text: str) -> None:
        _log.info("%s", printable(text))
