"""Retries: how often a request is made, and how long to wait before the next attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterator

MAX_ATTEMPTS = 6
"""How often one batch is sent, and one query made, at the most."""

MAX_WAIT_S = 120.0
"""Seconds a query waits at most if the service says how long to wait; a longer wait is an error instead."""


def backoff(attempt: int, draw: Callable[[], float], *, base: float = 0.5, cap: float = 30.0) -> float:
    """Seconds before attempt ``attempt`` + 1 (counted from 1): doubling, with half of it drawn at random in [0, 1)."""
    full: float = min(cap, base * 2 ** (attempt - 1))
    return full / 2 + draw() * full / 2


def poll_intervals(*, first: float = 0.05, cap: float = 2.0) -> Iterator[float]:
    """Seconds between two polls of the service: short at first, since most writes show at once."""
    pause = first
    while True:
        yield pause
        pause = min(cap, pause * 1.6)
