"""The write queue of a shared ledger: rows of threads that wait for the same round trip are sent in the next one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock

from reconciler.ledger.codec import Row
from reconciler.ledger.protocol import Holder, LeaseLostError


class QueuedRow:
    """A sealed row that a thread waits to add; ``error`` says why it was not added."""

    __slots__ = ("error", "holder", "is_over", "row", "running")

    def __init__(self, row: Row, holder: Holder | None, running: bool) -> None:
        self.row, self.holder, self.running = row, holder, running
        self.is_over = False
        self.error: BaseException | None = None


class WriteQueue:
    """Queues writes in the order in which they arrived; ``append`` adds rows under one fence, all or none.

    Any thread may ``put``; the other methods are for the thread that may write.
    """

    def __init__(self, append: Callable[[Sequence[Row], Holder | None, bool], None]) -> None:
        self._append = append
        self._lock = Lock()
        self._waiting: list[QueuedRow] = []

    def put(self, row: Row, holder: Holder | None, running: bool) -> QueuedRow:
        write = QueuedRow(row, holder, running)
        with self._lock:
            self._waiting.append(write)
        return write

    def withdraw(self, write: QueuedRow) -> None:
        with self._lock:
            self._waiting.remove(write)

    def flush(self, write: QueuedRow) -> None:
        """Add this row and all rows queued with it, unless another thread has."""
        if write.is_over:
            return
        with self._lock:
            group, self._waiting = self._waiting, []
        fences = {each.holder.fence: each.holder for each in group if each.holder is not None}
        if len(fences) < 2 and len(group) > 1:
            with suppress(LeaseLostError):  # each is then tried alone: not all need the lease
                self._add(group, next(iter(fences.values()), None), any(each.running for each in group))
                return
        for each in group:
            try:
                self._add([each], each.holder, each.running)
            except LeaseLostError as error:
                each.error, each.is_over = error, True

    def _add(self, group: Sequence[QueuedRow], holder: Holder | None, running: bool) -> None:
        """Add the rows of a group, and notify its threads. Raises nothing but LeaseLostError."""
        error: BaseException | None = None
        try:
            self._append([each.row for each in group], holder, running)
        except LeaseLostError:
            raise
        except BaseException as found:  # noqa: BLE001 - raised again in each of the threads
            error = found
        for each in group:
            each.error, each.is_over = error, True
