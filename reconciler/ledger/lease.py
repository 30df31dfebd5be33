"""The lease on a stack: one row in the ledger, and a fencing number that only grows.

Each function works inside the caller's transaction; instants are epoch milliseconds.
"""

from __future__ import annotations

import sqlite3

from reconciler.ledger.liveness import fingerprint, is_dead
from reconciler.ledger.protocol import Holder, LeaseHeldError, LeaseLostError


def acquire(connection: sqlite3.Connection, owner: str, host: str, pid: int, now: int, lifetime: int) -> Holder:
    """Take the lease, or raise LeaseHeldError; one that lapsed, or whose process on this host is dead, is taken
    over.
    """
    holding = current(connection, now, host)
    if holding is not None:
        raise LeaseHeldError(holding)
    row = (owner, host, pid, now, now + lifetime, fingerprint(pid))
    connection.execute(
        "UPDATE lease SET fence = fence + 1, owner = ?, host = ?, pid = ?, acquired_at = ?, expires_at = ?,"
        " process = ?",
        row,
    )
    (fence,) = connection.execute("SELECT fence FROM lease").fetchone()
    return Holder(owner, host, pid, now, now + lifetime, fence)


def current(connection: sqlite3.Connection, now: int, host: str | None) -> Holder | None:
    """Who stands in the way of another run now; ``host`` is where we are, None to leave processes out of it."""
    row = connection.execute(
        "SELECT owner, host, pid, acquired_at, expires_at, fence, process FROM lease WHERE owner IS NOT NULL"
    ).fetchone()
    if row is None:
        return None
    holder, process = Holder(*row[:6]), row[6]
    gone = holder.expires_at <= now or (holder.host == host and is_dead(holder.pid, process))
    return None if gone else holder


def check(connection: sqlite3.Connection, holder: Holder) -> None:
    """Raise LeaseLostError unless the lease is still this holder's; nobody can take it before the transaction ends."""
    row = connection.execute("SELECT owner, host, pid, fence FROM lease WHERE owner IS NOT NULL").fetchone()
    if row == (holder.owner, holder.host, holder.pid, holder.fence):
        return
    if row is None:
        raise LeaseLostError("the lease on this stack was broken or given back: nothing more may be sent")
    owner, host, pid, _ = row
    raise LeaseLostError(f"the lease on this stack was taken over by {owner} on {host} (process {pid})")


def renew(connection: sqlite3.Connection, holder: Holder, now: int, lifetime: int) -> Holder:
    """Prolong a lease that is still ours."""
    check(connection, holder)
    connection.execute("UPDATE lease SET expires_at = ?", (now + lifetime,))
    return holder._replace(expires_at=now + lifetime)


def release(connection: sqlite3.Connection, holder: Holder) -> None:
    """Give the lease back; one that is no longer ours is left alone."""
    connection.execute("UPDATE lease SET owner = NULL WHERE fence = ?", (holder.fence,))


def is_taken(connection: sqlite3.Connection) -> bool:
    """Whether the lease is somebody's, lapsed or not."""
    return connection.execute("SELECT 1 FROM lease WHERE owner IS NOT NULL").fetchone() is not None


def unlock(connection: sqlite3.Connection) -> Holder | None:
    """Break the lease; returns who held it, lapsed or not."""
    held = current(connection, now=-(1 << 63), host=None)
    if held is not None:
        connection.execute("UPDATE lease SET owner = NULL")
    return held
