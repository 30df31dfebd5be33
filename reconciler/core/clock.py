"""The clock protocol, so that code reads and passes time without the wall clock."""

from __future__ import annotations

from threading import Event
from typing import Protocol


class Clock(Protocol):
    """The time, as passed to code that needs it."""

    def now(self) -> int:
        """The current wall-clock time in epoch milliseconds; it may step in either direction."""

    def monotonic(self) -> int:
        """Milliseconds from an arbitrary start, never stepping back; for intervals and deadlines."""

    def pause(self, milliseconds: int, stop: Event) -> bool:
        """Wait for a time (ms), or until ``stop`` is set; returns whether it is set."""


class SteadyClock:
    """A clock that never goes back: if the wall clock steps back, it continues by the monotonic clock.

    Scheduled work uses it, so that setting the clock back two hours does not make it wait two hours.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = clock.now() - clock.monotonic()

    def now(self) -> int:
        monotonic = self._clock.monotonic()
        self._ahead = max(self._ahead, self._clock.now() - monotonic)
        return monotonic + self._ahead

    def monotonic(self) -> int:
        return self._clock.monotonic()

    def pause(self, milliseconds: int, stop: Event) -> bool:
        return self._clock.pause(milliseconds, stop)
