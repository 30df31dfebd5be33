"""A rate limit that many processes share: each reserves the instants of its next requests, several at a time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Lock

from reconciler.core.system_clock import precise_seconds

HANDFUL_S = 0.5
"""The seconds of the rate that one reservation covers at most: instants reserved by a process that dies are lost."""

LATE_S = 0.05
"""How late (s) a reserved instant may still be used; later, it is dropped, since requests would otherwise burst."""

Buy = Callable[[float, int], float]
"""Reserves a number of instants at a rate (per second); returns in how many seconds the first one comes."""


class SharedRate:
    """Lets one request begin at each reserved instant; thread-safe.

    The first reservation is of one instant. The size doubles while all are used, and is halved if some expire unused,
    so that they are not withheld from other processes.
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
        """Wait until the next request may begin. Raises what ``buy`` raises."""
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
        # Counted from when the response arrived: never earlier than the reserved instant.
        first = self._seconds() + wait
        self._instants.extend(first + place / self._rate for place in range(self._handful))
        if not self._wasted:
            self._handful = min(self._largest, 2 * self._handful)
        self._wasted = False
