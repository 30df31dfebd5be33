"""The process that holds a lease: whether it is known to be dead."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")


class BootTime(NamedTuple):
    """An instant by a clock that nobody can set: ``boot`` names the start of the machine, ``at`` is milliseconds since.

    All processes of a machine share it, and it goes on while the machine sleeps.
    """

    boot: str
    at: int


def boot_time() -> BootTime | None:
    """The present; None on a system that does not tell its starts apart."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return BootTime(boot, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)


def fingerprint(pid: int) -> str | None:
    """A text that no other process of this machine ever has; None where the system does not tell.

    It is made of the boot, the process namespace (two containers of one name have different ones) and the instant the
    process began, in clock ticks since the boot: proc(5), ``/proc/PID/stat``, field 22.
    """
    where, stat = _here(), _stat(pid)
    return None if where is None or stat is None else f"{where} {stat[1]}"


def is_dead(pid: int, known: str | None) -> bool:
    """Whether the process is certainly gone from this machine; ``known`` is its fingerprint when it took the lease.

    In doubt the answer is no: a lease also lapses by itself.
    """
    where = _here()
    if known is not None and (where is None or not known.startswith(f"{where} ")):
        return False
    if _is_missing(pid):
        return True
    stat = _stat(pid)
    if stat is None:
        return False
    state, began = stat
    return state in "ZX" or (known is not None and known != f"{where} {began}")


def _is_missing(pid: int) -> bool:
    if os.name == "nt" or pid <= 0:  # there, os.kill would end the process instead of asking for it
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _here() -> str | None:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return None


def _stat(pid: int) -> tuple[str, str] | None:
    """The state letter of a process, and when it began."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    fields = text.rpartition(")")[2].split()
    return (fields[0], fields[19]) if len(fields) > 19 else None
