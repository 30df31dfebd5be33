"""The throttle: keeps requests to one service under a rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Throttle:
    """Lets one request begin every 1/``rate`` seconds, whichever thread makes it; without a rate, all at once."""

    def __init__(
        self,
        rate: float | None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap = 0.0 if rate is None else 1 / rate
        self._now = now
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Return when the next request may begin."""
        if not self._gap:
            return
        with self._lock:
            now = self._now()
            turn = max(now, self._next)
            self._next = turn + self._gap
        if turn > now:
            self._sleep(turn - now)
