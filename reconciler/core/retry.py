"""Retries: how often a request is made, and how long to wait before the next attempt."""

from collections.abc import Callable, Iterator
from typing import NamedTuple


class RetryPolicy(NamedTuple):
    """How often one batch is sent, or one query made, and how long to wait between two attempts; in seconds."""

    max_attempts: int = 6
    base: float = 0.5
    """The longest wait after the first attempt; it doubles with each further one."""
    cap: float = 30.0
    """The longest wait that the policy chooses."""
    max_wait: float = 120.0
    """The longest wait that a query accepts from the service; a longer one is an error instead."""

    def backoff(self, attempt: int, draw: Callable[[], float]) -> float:
        """Seconds to wait after attempt ``attempt`` (counted from 1); ``draw`` gives a random number in [0, 1).

        The wait doubles with each attempt, and half of it is random, so that clients do not retry all at once.
        """
        full: float = min(self.cap, self.base * 2 ** (attempt - 1))
        return full / 2 + draw() * full / 2

    def pause(self, attempt: int, retry_after: float | None, draw: Callable[[], float]) -> float:
        """Seconds to wait after attempt ``attempt``: what the service asks for (``Retry-After``), else the backoff."""
        return self.backoff(attempt, draw) if retry_after is None else retry_after

    def is_last(self, attempt: int) -> bool:
        """Whether no attempt follows attempt ``attempt``."""
        return attempt >= self.max_attempts


RETRY = RetryPolicy()
"""The policy of every request to a service."""


def poll_intervals(*, first: float = 0.05, cap: float = 2.0) -> Iterator[float]:
    """Seconds between two polls of the service: short at first, since most writes show at once."""
    pause = first
    while True:
        yield pause
        pause = min(cap, pause * 1.6)
