"""A token bucket: so many requests a second on average, and some at once."""

from __future__ import annotations

import time
from collections.abc import Callable


class TokenBucket:
    """Full at the start; not for use by several threads."""

    def __init__(self, rate: float, capacity: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._capacity = capacity
        self._monotonic = monotonic
        self._level = capacity
        self._filled_at = monotonic()

    def take(self) -> bool:
        """Take one token if there is one."""
        now = self._monotonic()
        self._level = min(self._capacity, self._level + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True
