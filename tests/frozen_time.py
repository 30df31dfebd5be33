"""A wall clock that stands still for commands and for servers in this process."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory

from reconciler.emulator.server import create_app
from reconciler.emulator.settings import Settings
from tests.e2e.crash_harness import import_commands


def frozen_time(instant: str) -> AbstractContextManager[FrozenDateTimeFactory]:
    """Freeze time at an instant (RFC 3339) while the block runs; timers of asyncio, and so of servers, still run."""
    _import_all()
    frozen: AbstractContextManager[FrozenDateTimeFactory] = freeze_time(instant, real_asyncio=True)
    return frozen


@cache
def _import_all() -> None:
    """Import what commands and the emulator import when they first run: libraries that are first imported on a frozen
    clock take its classes for the real ones.
    """
    import_commands()
    create_app(Settings())
