"""A rate that many processes share: each buys the instants of its next requests, a handful at a time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Lock

from reconciler.core.system_clock import precise_seconds

HANDFUL_S = 0.5
"""A handful covers so many seconds of the rate at most: what a process that dies had bought is lost."""

LATE_S = 0.05
"""How late an instant may still be used; after that it is lost, or requests would come in a burst."""

Buy = Callable[[float, int], float]
"""Buys so many instants at a rate (a second); in how many seconds the first of them comes."""


class SharedRate:
    """Lets one request begin at each instant that was bought. Any number of threads may call it.

    A handful begins with one instant. It doubles as long as all are used, and is halved when some come too soon for
    this process, so that none are kept from the others.
    """

    def __init__(
        self,
        rate: float,
        buy: Buy,
        *,
        seconds: Callable[[], float] = precise_seconds,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._buy = buy
        self._seconds = seconds
        self._sleep = sleep
        self._lock = Lock()
        self._instants: deque[float] = deque()
        self._handful = 1
        self._largest = max(1, int(rate * HANDFUL_S))
        self._wasted = False

    def try_acquire(self) -> None:
        """Return when the next request may begin. Raises what ``buy`` raises."""
        with self._lock:
            instant = self._next()
        pause = instant - self._seconds()
        if pause > 0:
            self._sleep(pause)

    def _next(self) -> float:
        oldest = self._seconds() - max(LATE_S, 1 / self._rate)
        while self._instants and self._instants[0] < oldest:
            self._instants.popleft()
            self._wasted = True
        if not self._instants:
            self._refill()
        return self._instants.popleft()

    def _refill(self) -> None:
        if self._wasted:
            self._handful = max(1, self._handful // 2)
        wait = self._buy(self._rate, self._handful)
        # Counted from when the answer is here: never earlier than the instant that was bought.
        first = self._seconds() + wait
        self._instants.extend(first + place / self._rate for place in range(self._handful))
        if not self._wasted:
            self._handful = min(self._largest, 2 * self._handful)
        self._wasted = False
