"""The workers of one provider: they send the batches of a run, several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from reconciler.apply.begin import BeginAhead, Begun
from reconciler.apply.options import begun_ahead
from reconciler.apply.sender import Sender
from reconciler.core.operation import Operation


class Line:
    """A line of batches and the workers at its end, as a context manager that waits for them.

    ``parallelism`` requests run at once, and ``width`` batches are begun or being sent. ``unsent`` is called for a
    batch that was begun and is not sent, since the run is over; ``ended`` for each batch, with the exception if there
    was one, which also stops the run.
    """

    def __init__(
        self,
        sender: Sender,
        parallelism: int,
        is_over: Callable[[], bool],
        unsent: Callable[[Sequence[Operation]], None],
        ended: Callable[[BaseException | None], None],
    ) -> None:
        limit = parallelism * begun_ahead(parallelism)
        self.width = parallelism + limit
        self._sender, self._is_over, self._unsent, self._ended = sender, is_over, unsent, ended
        self._pool = ThreadPoolExecutor(parallelism, thread_name_prefix=f"send-{sender.provider.key}")
        context = sender.context
        self._ahead = BeginAhead(context.begin, context.clock, limit, is_over, self._pass_on) if limit else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._ahead is not None:
            self._ahead.close()
        self._pool.shutdown()
        self._ahead = None  # breaks a reference cycle

    def submit(self, batch: Sequence[Operation]) -> None:
        """Send a batch when its turn comes."""
        if self._ahead is None:
            self._pass_on(Begun(batch))
        else:
            self._ahead.put(batch)

    def _pass_on(self, begun: Begun) -> None:
        self._pool.submit(self._deliver, begun).add_done_callback(lambda future: self._ended(future.exception()))

    def _deliver(self, begun: Begun) -> None:
        """The worker's task: send a batch, unless the run ended first; an exception ends the run."""
        if self._ahead is not None:
            self._ahead.taken()
        try:
            if begun.error is not None:
                raise begun.error
            if not self._is_over():
                self._sender.deliver(begun.batch, begun.at)
            elif begun.at is not None:
                self._unsent(begun.batch)
        except BaseException:
            self._sender.context.stop.set()
            raise
