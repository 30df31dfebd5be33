"""Where tests that make many ledgers keep them: in memory, where each durable step costs nothing."""

from __future__ import annotations

import os

_PLACE = "/dev/shm"  # noqa: S108 - every directory made in it is its maker's own
_ROOM = 256 << 20


def _has_room() -> bool:
    if not os.access(_PLACE, os.W_OK | os.X_OK):
        return False
    state = os.statvfs(_PLACE)
    return state.f_bavail * state.f_frsize >= _ROOM


MEMORY = _PLACE if _has_room() else None
"""A file system in memory, as ``dir`` of ``tempfile`` takes it; None if there is none with room."""
