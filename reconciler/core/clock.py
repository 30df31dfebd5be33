"""The clock as the edges hand it in, so that time can be read and passed without a wall clock."""

from __future__ import annotations

from threading import Event
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """The present in epoch milliseconds, by the wall clock; it may step, in either direction."""

    def monotonic(self) -> int:
        """Milliseconds from an arbitrary start, never stepping back: intervals and deadlines are measured by it."""

    def pause(self, milliseconds: int, stop: Event) -> bool:
        """Let time pass, or until ``stop`` is set; whether it is."""


class SteadyClock:
    """A clock that never goes back: where the wall clock steps back, time goes on by the monotonic clock.

    Work with a schedule goes by it, so that a step of two hours does not make it wait for two hours.
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
