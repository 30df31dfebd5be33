"""The clock of the machine: the only place that reads it, apart from the emulator, which shares no code.

Code that is handed a ``Clock`` or a ``now`` goes by that one; these are what commands, workers and servers hand in.
Start-up loads this module, so it imports nothing of the package.
"""

from __future__ import annotations

import time
from threading import Event


def now() -> int:
    """The present by the machine's clock, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def monotonic() -> int:
    """Milliseconds by a clock that nobody can set; it goes on while the machine sleeps if there is such a one."""
    if hasattr(time, "CLOCK_BOOTTIME"):  # the leases of ledgers go by it too
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return time.monotonic_ns() // 1_000_000


def precise_seconds() -> float:
    """Seconds from an arbitrary start, for measuring and pacing what takes less than a millisecond."""
    return time.perf_counter()


def sleep(milliseconds: int) -> None:
    """Let time pass."""
    time.sleep(milliseconds / 1_000)


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        return now()

    def monotonic(self) -> int:
        return monotonic()

    def pause(self, milliseconds: int, stop: Event) -> bool:
        return stop.wait(milliseconds / 1_000)
