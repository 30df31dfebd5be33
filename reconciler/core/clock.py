"""The clock as the edges hand it in, so that time can be told and passed without a wall clock."""

from __future__ import annotations

from threading import Event
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """The present in epoch milliseconds."""

    def wait(self, seconds: float, stop: Event) -> bool:
        """Let time pass, or until ``stop`` is set; whether it is."""
