"""The writer: deliveries that arrive together are stored in one transaction, and acknowledged when it is durable."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from reconciler.core.duration import SECOND, in_seconds
from reconciler.core.system_clock import monotonic, precise_seconds
from reconciler.receive.store import Delivery, DeliveryStore, RetentionLimits, StoreError

BATCH = 500
BEAT = 5 * SECOND
"""How often the writer records that it is running, and removes expired deliveries."""
_log = logging.getLogger(__name__)


class BusyError(Exception):
    """Too many deliveries wait to be stored."""


class _Waiting(NamedTuple):
    delivery: Delivery
    future: asyncio.Future[bool]
    loop: asyncio.AbstractEventLoop


class GroupWriter:
    """Owns the thread that writes to a store. ``committed`` gets the size and the duration of each commit."""

    def __init__(
        self,
        store: DeliveryStore,
        limits: RetentionLimits,
        clock: Callable[[], int],
        max_pending: int,
        committed: Callable[[int, float], None],
    ) -> None:
        self._store = store
        self._limits = limits
        self._clock = clock
        self._max_pending = max_pending
        self._committed = committed
        self._waiting: deque[_Waiting] = deque()
        self._condition = threading.Condition()
        self._closing = False
        self.started = clock()
        self.healthy = True
        """Whether the last write succeeded."""
        store.beat(self.started, self.started)
        self._thread = threading.Thread(target=self._work, name="receiver writer", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        return len(self._waiting)

    async def add(self, delivery: Delivery) -> bool:
        """Store a delivery; returns whether it is new. Raises BusyError if too many wait, StoreError if it cannot be
        stored.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        with self._condition:
            if self._closing or len(self._waiting) >= self._max_pending:
                raise BusyError
            self._waiting.append(_Waiting(delivery, future, loop))
            self._condition.notify()
        return await future

    def close(self) -> None:
        """Store waiting deliveries, and end the thread."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join()

    def _work(self) -> None:
        due = monotonic() + BEAT
        while True:
            with self._condition:
                if not self._waiting and not self._closing:
                    self._condition.wait(in_seconds(max(0, due - monotonic())))
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]
                closing = self._closing
            if batch:
                self._commit(batch)
            if monotonic() >= due or (closing and not batch):
                due = monotonic() + (0 if self._upkeep() else BEAT)
            if closing and not batch:
                return

    def _commit(self, batch: list[_Waiting]) -> None:
        begun = precise_seconds()
        error: Exception | None = None
        fresh: list[bool] = []
        try:
            fresh = self._store.add([waiting.delivery for waiting in batch])
            self._committed(len(batch), precise_seconds() - begun)
        except Exception as caught:  # noqa: BLE001 - the thread must live, and every sender must get an answer
            error = caught if isinstance(caught, StoreError) else StoreError(f"{type(caught).__name__}: {caught}")
            _log.error("cannot store deliveries: %s", error)
        self.healthy = error is None
        with suppress(RuntimeError):  # the event loop has ended: no one waits for a response
            batch[0].loop.call_soon_threadsafe(_resolve, batch, fresh, error)

    def _upkeep(self) -> bool:
        """Record that the receiver is running, and remove expired deliveries; returns whether there is more to
        remove.
        """
        now = self._clock()
        try:
            self._store.beat(self.started, now)
            more = self._store.expire(now, self._limits)
            self.healthy = True
        except Exception as caught:  # noqa: BLE001 - as above
            _log.error("cannot write to the receiver's database: %s", caught)
            self.healthy = more = False
        return more


def _resolve(batch: list[_Waiting], fresh: list[bool], error: Exception | None) -> None:
    for index, waiting in enumerate(batch):
        if waiting.future.done():  # the sender has disconnected
            continue
        if error is None:
            waiting.future.set_result(fresh[index])
        else:
            waiting.future.set_exception(error)
