"""A live run: the state that a drill shows on its page, and what visitors requested. Thread-safe."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from reconciler.core.clock import Clock
from reconciler.drill.record import Record
from reconciler.views.html.live import pending_pause


class LiveRun:
    """The newest record of a run, and the answers and the abort request of visitors with the token.

    ``redact`` removes secrets from a record before anything of it is shown.
    """

    def __init__(self, clock: Clock, redact: Callable[[object], object]) -> None:
        self.clock = clock
        self.finished = False
        self._redact = redact
        self._lock = Lock()
        self._record: Record | None = None
        self._shown: tuple[Record, Record] | None = None
        self._answers: dict[str, bool] = {}
        self._abort = False
        self._listener: Callable[[], None] = lambda: None

    def listen(self, listener: Callable[[], None]) -> None:
        """Call this whenever something has changed."""
        self._listener = listener

    def update(self, record: Record) -> None:
        """Show this state of the run from now on."""
        self._record = record
        self._listener()

    def finish(self) -> None:
        """Record that the run is over."""
        self.finished = True
        self._listener()

    def record(self) -> Record | None:
        """The newest state of the run without secrets; None before there is one."""
        record = self._record
        if record is None:
            return None
        if self._shown is None or self._shown[0] is not record:
            document = self._redact(record.model_dump(mode="json", by_alias=True))
            self._shown = record, Record.model_validate(document)
        return self._shown[1]

    def record_answer(self, step: str, *, confirmed: bool) -> bool:
        """Answer a pause; returns whether that pause is waiting and was not answered yet."""
        with self._lock:
            record = self.record()
            waiting = pending_pause(record) if record is not None else None
            if waiting is None or waiting.name != step or step in self._answers:
                return False
            self._answers[step] = confirmed
            return True

    def answered(self, step: str) -> bool | None:
        """The answer that a visitor gave to a pause; None without one."""
        return self._answers.get(step)

    def abort(self) -> None:
        """Ask the drill to clear everything and end."""
        self._abort = True

    def aborted(self) -> bool:
        return self._abort
