"""The step before each request: the ledger takes down that its operations are being sent, and that they may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock

from reconciler.core.operation import Operation


class _Ticket:
    """Operations that a worker waits to send."""

    __slots__ = ("error", "is_done", "operations")

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = operations
        self.is_done = False
        self.error: BaseException | None = None


class BeginGate:
    """Lets workers pass once their operations are journalled as being sent; those who come together share one step.

    ``commit`` makes the step durable, and raises if nothing may be sent any more.
    """

    def __init__(self, commit: Callable[[Sequence[str]], None]) -> None:
        self._commit = commit
        self._waiting: list[_Ticket] = []
        self._lock = Lock()
        self._committing = Lock()

    def begin(self, operations: Sequence[Operation]) -> None:
        """Return once the operations may be sent; raises what ``commit`` raises."""
        ticket = _Ticket(operations)
        with self._lock:
            self._waiting.append(ticket)
        with self._committing:
            if not ticket.is_done:
                with self._lock:
                    group, self._waiting = self._waiting, []
                self._run(group)
        if ticket.error is not None:
            raise ticket.error

    def _run(self, group: Sequence[_Ticket]) -> None:
        error: BaseException | None = None
        try:
            self._commit([operation.key for ticket in group for operation in ticket.operations])
        except BaseException as found:  # noqa: BLE001 - raised again in each of the threads
            error = found
        for ticket in group:
            ticket.is_done, ticket.error = True, error
