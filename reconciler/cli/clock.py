"""The clock: where commands read the time."""

from __future__ import annotations

import time


def now() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000
