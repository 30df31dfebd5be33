"""The clock as the edges hand it in, so that time can be told and passed without a wall clock."""

from __future__ import annotations

from threading import Event
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """The present in epoch milliseconds, by the wall clock; it may step, in either direction."""

    def monotonic(self) -> int:
        """Milliseconds from an arbitrary start, never stepping back: intervals and deadlines are measured by it."""

    def wait(self, seconds: float, stop: Event) -> bool:
        """Let time pass, or until ``stop`` is set; whether it is."""
