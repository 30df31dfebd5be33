"""The throttle: paces the requests of one process."""

from __future__ import annotations

from math import ceil

from pyrate_limiter import GCRA, Limiter, Rate, SingleBucketFactory, StateBucket

from reconciler.core.duration import SECOND


def throttle(rate: float) -> Limiter:
    """A throttle that lets one request begin every 1/``rate`` seconds: ``try_acquire`` waits for the next turn.

    There are no bursts, since a service may count over less than a second; only requests within 10 ms may coincide,
    since the library's clock has whole milliseconds.
    """
    limit = max(1, int(rate * SECOND))
    even = Rate(limit, ceil(limit / rate * SECOND), burst=max(1, ceil(rate / 100)))
    # Its only state is one number, so the library's cleanup thread is not needed.
    return Limiter(SingleBucketFactory(StateBucket([even], algorithm=GCRA()), schedule_leak=False), buffer_ms=0)
