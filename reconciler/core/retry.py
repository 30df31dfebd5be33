"""Retries: how often a request is made, and how long to wait between attempts."""

from collections.abc import Callable, Iterator
from math import ceil
from typing import NamedTuple

from reconciler.core.duration import SECOND


class RetryPolicy(NamedTuple):
    """How often a batch is sent, or a query made, and how long (ms) to wait between attempts."""

    max_attempts: int = 6
    base: int = 500
    """The longest backoff after the first attempt; it doubles with each attempt."""
    cap: int = 30 * SECOND
    """The longest backoff."""
    max_wait: int = 120 * SECOND
    """The longest wait that a query accepts from the service; a longer one is an error."""

    def backoff(self, attempt: int, draw: Callable[[], float]) -> int:
        """Milliseconds to wait after attempt ``attempt`` (from 1); ``draw`` gives a random number in [0, 1).

        The wait doubles with each attempt, and half of it is random, so that clients do not retry in step.
        """
        full: int = min(self.cap, self.base * 2 ** (attempt - 1))
        return round(full / 2 + draw() * full / 2)

    def pause(self, attempt: int, retry_after: int | None, draw: Callable[[], float]) -> int:
        """Milliseconds to wait after ``attempt``: what the service asks for (``Retry-After``), else the backoff."""
        return self.backoff(attempt, draw) if retry_after is None else retry_after

    def is_last(self, attempt: int) -> bool:
        """Whether attempt ``attempt`` is the last one."""
        return attempt >= self.max_attempts


RETRY = RetryPolicy()
"""The policy of every request to a service."""


def poll_intervals(*, first: int = 50, cap: int = 2 * SECOND) -> Iterator[int]:
    """Milliseconds between two polls of a service: short at first, since most writes are visible at once."""
    pause = first
    while True:
        yield pause
        pause = min(cap, ceil(pause * 1.6))
