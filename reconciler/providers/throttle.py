"""The throttle: lets the requests of one process begin at a rate."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from reconciler.core.duration import SECOND

if TYPE_CHECKING:
    from pyrate_limiter import Limiter


def throttle(rate: float) -> Limiter:
    """Lets one request begin every 1/``rate`` seconds: ``try_acquire`` returns when the next one may.

    No burst, for a service may count by less than the second; only what falls within 10 ms may come together, since the
    library's clock ticks in whole milliseconds.
    """
    from pyrate_limiter import GCRA, Limiter, Rate, SingleBucketFactory, StateBucket  # not loaded where no rate is set

    limit = max(1, int(rate * SECOND))
    even = Rate(limit, ceil(limit / rate * SECOND), burst=max(1, ceil(rate / 100)))
    # One number is all it keeps, so there is nothing for the library's cleaning thread to do.
    return Limiter(SingleBucketFactory(StateBucket([even], algorithm=GCRA()), schedule_leak=False), buffer_ms=0)
