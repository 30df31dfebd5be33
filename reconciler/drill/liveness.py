"""Whether the process of a run is alive: what a reader of an unfinished record sees."""

from __future__ import annotations

from reconciler.drill.record import DrillStatus, Record
from reconciler.ledger.lease import is_dead
from reconciler.ledger.protocol import Holder


def current_state(record: Record, holder: Holder | None, host: str) -> Record:
    """The record with ``died`` in place of ``running`` if its process is gone.

    ``holder`` holds the lease of the stack now: a real run is alive only as long as it does. A rehearsal takes no
    lease, and is alive as long as its process runs on this ``host``.
    """
    if record.over or record.rehearsal:
        return local_state(record, host)
    alive = holder is not None and (holder.host, holder.pid) == (record.host, record.pid)
    return record if alive else _died(record)


def local_state(record: Record, host: str) -> Record:
    """The same as far as this ``host`` can tell without the ledger."""
    gone = not record.over and record.host == host and is_dead(record.pid, None)
    return _died(record) if gone else record


def _died(record: Record) -> Record:
    return record.model_copy(update={"ending": DrillStatus.DIED})
