"""Ports for servers that must know theirs before they start, or keep it over a restart.

A port that the kernel picks is free only until some connection of another test is given the same one. These come
from below the range that the kernel picks from, and a lock on a file keeps each for this process as long as it lives.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import TextIO

_RANGE = range(20_000, 32_000)
_LOCKS = Path(tempfile.gettempdir()) / f"reconciler-test-ports-{os.getuid()}"
_held: list[TextIO] = []


def free_port() -> int:
    """A port of loopback that nobody listens at, and that no other test is given while this process lives."""
    _LOCKS.mkdir(exist_ok=True)
    for port in random.sample(_RANGE, len(_RANGE)):
        lock = (_LOCKS / str(port)).open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        if _is_free(port):
            _held.append(lock)
            return port
        lock.close()
    raise RuntimeError(f"no port of {_RANGE.start} to {_RANGE.stop - 1} is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
