"""Journalling that operations are being sent, before each request (rule 8)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Lock, Thread
from typing import NamedTuple

from reconciler.core.clock import Clock
from reconciler.core.duration import SECOND
from reconciler.core.operation import Operation

MAX_DEPARTURE = SECOND
"""How long (ms) after its journal step a request may leave, at the latest."""


class BeginStep:
    """The journal step that precedes a request.

    It is repeated if the request leaves late, after a wait for its turn or for a token, or because the process was
    suspended. ``at`` is when it was made in advance (monotonic ms), if it was.
    """

    def __init__(
        self,
        begin: Callable[[Sequence[Operation]], None],
        clock: Clock,
        operations: Sequence[Operation],
        at: int | None = None,
    ) -> None:
        self._commit, self._clock, self._operations = begin, clock, operations
        self._at = at
        if at is None:
            self._begin()

    def renew_if_late(self) -> None:
        if self._at is None or self._clock.monotonic() - self._at > MAX_DEPARTURE:
            self._begin()

    def _begin(self) -> None:
        self._at = self._clock.monotonic()
        self._commit(self._operations)


class Begun(NamedTuple):
    """A batch on its way to a worker: journalled ``at`` (monotonic ms) as being sent, unless that is left to the
    worker; or the ``error`` because of which it must not be sent.
    """

    batch: Sequence[Operation]
    at: int | None = None
    error: BaseException | None = None


class BeginAhead:
    """Journals the next batches of one provider as being sent while earlier ones are sent, several in one step.

    At most ``limit`` batches are begun that no worker has taken. One thread of its own does it, so that neither the
    workers nor the journal of outcomes wait for it.
    """

    def __init__(
        self,
        begin: Callable[[Sequence[Operation]], None],
        clock: Clock,
        limit: int,
        is_over: Callable[[], bool],
        pass_on: Callable[[Begun], None],
    ) -> None:
        self._begin, self._clock, self._limit = begin, clock, limit
        self._is_over, self._pass_on = is_over, pass_on
        self._batches: deque[Sequence[Operation]] = deque()
        self._begun = 0
        self._closed = False
        self._changed = Condition(Lock())
        self._thread = Thread(target=self._run, name="begin", daemon=True)
        self._thread.start()

    def put(self, batch: Sequence[Operation]) -> None:
        """Begin a batch when its turn comes, and pass it on."""
        with self._changed:
            self._batches.append(batch)
            self._changed.notify()

    def taken(self) -> None:
        """A worker has taken a batch that was passed on."""
        with self._changed:
            self._begun -= 1
            if self._has_room():
                self._changed.notify()

    def close(self) -> None:
        """End the thread, once every batch is passed on."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while group := self._next():
            at, error = (None if self._is_over() else self._clock.monotonic()), None
            if at is not None:
                try:
                    self._begin([item for batch in group for item in batch])
                except BaseException as found:  # noqa: BLE001 - raised again by the workers
                    error = found
            for batch in group:
                self._pass_on(Begun(batch, at, error))

    def _next(self) -> list[Sequence[Operation]]:
        """The next batches to begin, once half of those that were begun are taken; none if no more will come."""
        with self._changed:
            while not (self._batches and self._has_room()):
                if self._closed and not self._batches:
                    return []
                self._changed.wait()
            group = [self._batches.popleft() for _ in range(min(len(self._batches), self._limit - self._begun))]
            self._begun += len(group)
            return group

    def _has_room(self) -> bool:
        return self._begun <= self._limit // 2


class _Ticket:
    """The operations that a worker waits to send."""

    __slots__ = ("error", "is_done", "operations")

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = operations
        self.is_done = False
        self.error: BaseException | None = None


class BeginGate:
    """Lets workers continue once their operations are journalled as being sent; waiting workers share one step.

    ``commit`` makes the step durable, and raises if nothing may be sent any more.
    """

    def __init__(self, commit: Callable[[Sequence[str]], None]) -> None:
        self._commit = commit
        self._waiting: list[_Ticket] = []
        self._lock = Lock()
        self._committing = Lock()

    def begin(self, operations: Sequence[Operation]) -> None:
        """Return once the operations may be sent. Raises what ``commit`` raises."""
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
