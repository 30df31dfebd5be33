"""The lease on a stack: one row in the ledger, with a fencing number that only increases.

Each function runs inside the caller's transaction; instants are epoch milliseconds. On the machine that took it, a
lease expires by the clock since boot, so that setting the wall clock neither shortens nor extends it. On another
machine, or after a reboot, it expires by the wall clock.
"""

import os
import sqlite3
from functools import cache
from pathlib import Path
from typing import NamedTuple

from reconciler.core.system_clock import monotonic
from reconciler.ledger.protocol import Holder, LeaseHeldError, LeaseLostError

_PROC = Path("/proc")


class BootTime(NamedTuple):
    """An instant on a clock that cannot be set: ``boot`` identifies the boot, ``at`` is milliseconds since then.

    All processes of a machine share this clock, and it includes time spent in suspend.
    """

    boot: str
    at: int


def boot_time() -> BootTime | None:
    """The current instant; None on a system that does not identify its boots."""
    boot = _boot_id()
    return None if boot is None else BootTime(boot, monotonic())


@cache
def _boot_id() -> str | None:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None


def fingerprint(pid: int) -> str | None:
    """A text that identifies this process among all processes of this machine, ever; None if the system does not
    support it.

    It combines the boot, the process namespace (so that two containers with the same name differ) and the start of the
    process in clock ticks since boot: proc(5), ``/proc/PID/stat``, field 22.
    """
    where, stat = _here(), _stat(pid)
    return None if where is None or stat is None else f"{where} {stat[1]}"


def is_dead(pid: int, known: str | None) -> bool:
    """Whether the process has certainly ended on this machine; ``known`` is its fingerprint when it took the lease.

    If in doubt, the answer is no: a lease also expires by itself.
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
    if os.name == "nt" or pid <= 0:  # on Windows os.kill would end the process instead of testing it
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
    """A process's state letter, and when it started."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    fields = text.rpartition(")")[2].split()
    return (fields[0], fields[19]) if len(fields) > 19 else None


_COLUMNS = "owner, host, pid, acquired_at, expires_at, fence, pipeline, commit_id, process, boot, boot_expires_at"


class Present(NamedTuple):
    """The current time by the wall clock (epoch ms), by the clock since boot if there is one, and by a shared store's
    clock.
    """

    now: int
    boot: BootTime | None
    store: int | None = None


class _Lease:
    def __init__(self, holder: Holder, process: str | None, boot: str | None, boot_expires_at: int | None) -> None:
        self.holder = holder
        self.process = process
        self.boot = boot
        self.boot_expires_at = boot_expires_at

    def has_lapsed(self, present: Present) -> bool:
        if self.boot_expires_at is not None and present.boot is not None and present.boot.boot == self.boot:
            return self.boot_expires_at <= present.boot.at
        return self.holder.expires_at <= present.now


def acquire(
    connection: sqlite3.Connection,
    owner: str,
    host: str,
    pid: int,
    present: Present,
    lifetime: int,
    pipeline: str | None = None,
    commit: str | None = None,
) -> Holder:
    """Take the lease, or raise LeaseHeldError.

    A lease that expired, or whose process on this host is dead, is taken over.
    """
    holding = current(connection, present, host)
    if holding is not None:
        raise LeaseHeldError(holding)
    connection.execute(
        "UPDATE lease SET fence = fence + 1, owner = ?, host = ?, pid = ?, acquired_at = ?, process = ?, pipeline = ?,"
        " commit_id = ?",
        (owner, host, pid, present.now, fingerprint(pid), pipeline, commit),
    )
    _prolong(connection, present, lifetime)
    (fence,) = connection.execute("SELECT fence FROM lease").fetchone()
    return Holder(owner, host, pid, present.now, present.now + lifetime, fence, pipeline, commit)


def current(connection: sqlite3.Connection, present: Present, host: str) -> Holder | None:
    """The holder that blocks another run now; ``host`` is this machine."""
    lease = _read(connection)
    if lease is None or lease.has_lapsed(present):
        return None
    if lease.holder.host == host and is_dead(lease.holder.pid, lease.process):
        return None
    return lease.holder


HELD = "owner = ? AND host = ? AND pid = ? AND fence = ?"
"""The SQL condition that a holder still has the lease, with the values ``holder_values``."""

RUNNING = "CASE WHEN boot = ? AND boot_expires_at IS NOT NULL THEN boot_expires_at > ? ELSE expires_at > ? END"
"""The SQL condition that the lease has not expired, with the values ``running_values``."""


def holder_values(holder: Holder) -> tuple[object, ...]:
    return (holder.owner, holder.host, holder.pid, holder.fence)


def running_values(present: Present) -> tuple[object, ...]:
    return (*(present.boot or (None, None)), present.now)


def check(connection: sqlite3.Connection, holder: Holder, present: Present | None = None) -> None:
    """Raise LeaseLostError unless this holder still has the lease and, at ``present``, it has not expired.

    Nobody can take it before the transaction ends.
    """
    lease = _read(connection)
    check_holder(None if lease is None else lease.holder, holder)
    if lease is not None and present is not None and lease.has_lapsed(present):
        raise lapsed()


def check_holder(found: Holder | None, holder: Holder) -> None:
    """Raise LeaseLostError unless the holder found is this one."""
    if found is None:
        raise LeaseLostError("the lease on this stack was broken or released: nothing more may be sent")
    if (found.owner, found.host, found.pid, found.fence) != (holder.owner, holder.host, holder.pid, holder.fence):
        raise LeaseLostError(f"the lease on this stack was taken over by {found}")


def lapsed() -> LeaseLostError:
    """Whether the run still has the lease, but it has expired."""
    return LeaseLostError("the lease on this stack has expired: this run was suspended for too long to continue")


def renew(connection: sqlite3.Connection, holder: Holder, present: Present, lifetime: int) -> Holder:
    """Extend a lease that this holder still has."""
    check(connection, holder)
    _prolong(connection, present, lifetime)
    return holder._replace(expires_at=present.now + lifetime)


def release(connection: sqlite3.Connection, holder: Holder) -> None:
    """Release the lease if this holder still has it."""
    connection.execute("UPDATE lease SET owner = NULL WHERE fence = ?", (holder.fence,))


def is_taken(connection: sqlite3.Connection) -> bool:
    """Whether anyone has the lease, expired or not."""
    return _read(connection) is not None


def unlock(connection: sqlite3.Connection) -> Holder | None:
    """Break the lease; returns who held it, expired or not."""
    lease = _read(connection)
    if lease is None:
        return None
    connection.execute("UPDATE lease SET owner = NULL")
    return lease.holder


def _prolong(connection: sqlite3.Connection, present: Present, lifetime: int) -> None:
    boot, at = (None, None) if present.boot is None else (present.boot.boot, present.boot.at + lifetime)
    connection.execute(
        "UPDATE lease SET expires_at = ?, boot = ?, boot_expires_at = ?", (present.now + lifetime, boot, at)
    )


def _read(connection: sqlite3.Connection) -> _Lease | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM lease WHERE owner IS NOT NULL").fetchone()  # noqa: S608 - constants
    return None if row is None else _Lease(Holder(*row[:8]), *row[8:])
