"""The machine's clock: the only module that reads it, apart from the emulator, which shares no code.

Code that is given a ``Clock`` or a ``now`` uses that; commands, workers and servers pass these. Start-up loads this
module, so it imports nothing of the package.
"""

from __future__ import annotations

import time
from threading import Event


def now() -> int:
    """The current time by the machine's clock, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def monotonic() -> int:
    """Milliseconds by a clock that cannot be set; it includes time in suspend if the system has such a clock."""
    if hasattr(time, "CLOCK_BOOTTIME"):  # the leases of ledgers use the same clock
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return time.monotonic_ns() // 1_000_000


def precise_seconds() -> float:
    """Seconds from an arbitrary start, for intervals below a millisecond."""
    return time.perf_counter()


def sleep(milliseconds: int) -> None:
    """Sleep."""
    time.sleep(milliseconds / 1_000)


class SystemClock:
    """The machine's clock as a ``Clock``."""

    def now(self) -> int:
        return now()

    def monotonic(self) -> int:
        return monotonic()

    def pause(self, milliseconds: int, stop: Event) -> bool:
        return stop.wait(milliseconds / 1_000)
