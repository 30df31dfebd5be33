"""The clock of the machine."""

from __future__ import annotations

import time
from threading import Event

from reconciler.core.duration import in_seconds


def now() -> int:
    """The present by the machine's clock, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        return now()

    def monotonic(self) -> int:
        if hasattr(time, "CLOCK_BOOTTIME"):  # goes on while the machine sleeps, as the leases of ledgers do
            return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        return time.monotonic_ns() // 1_000_000

    def pause(self, milliseconds: int, stop: Event) -> bool:
        return stop.wait(in_seconds(milliseconds))
