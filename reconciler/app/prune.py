"""Pruning a stack: its ledger and the records of its drills, under its lease."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from reconciler.app.ledger import Asked, locate
from reconciler.apply.lease import Owner
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import parse_duration
from reconciler.drill.record import Record
from reconciler.drill.store import RunStore
from reconciler.ledger.documents import SharedDocuments
from reconciler.ledger.location import DIRECTORY, Location, open_at
from reconciler.ledger.pruning import LIFETIME, Pruning, preview_pruning, prune_ledger
from reconciler.ledger.retention import LEAST, Limit


class Pruned(NamedTuple):
    """What was pruned, or would be: everything that ended before ``before`` (epoch ms) and is not needed.

    ``drills`` are the drill runs whose records are removed.
    """

    location: Location
    before: int
    ledger: Pruning
    drills: Sequence[str]

    @property
    def is_empty(self) -> bool:
        return not any(self.ledger.removed) and not self.drills


def older_than_ms(text: str) -> int:
    """Parse a limit to milliseconds. Raises DiagnosticError unless it is a duration of at least a day."""
    try:
        limit = parse_duration(text)
    except ValueError as error:
        raise DiagnosticError(Diagnostic(f"--older-than: {error}")) from None
    if limit < LEAST:
        raise DiagnosticError(Diagnostic(f"--older-than {text} is too short", hint="the minimum is 1d"))
    return limit


def preview(asked: Asked, environ: Mapping[str, str], older_than: int, now: int) -> Pruned:
    """What ``prune`` would remove now. Raises DiagnosticError if there is no ledger, or it cannot be read."""
    location = locate(asked, environ)
    documents = SharedDocuments(location) if location.is_shared else None
    try:
        records = _records(RunStore(documents or _directory(asked, location)), location)
        found = preview_pruning(location, _limit(records, older_than, now))
    finally:
        if documents is not None:
            documents.close()
    return Pruned(location, now - older_than, found, _old(records, now - older_than))


def prune(asked: Asked, environ: Mapping[str, str], older_than: int, now: int, who: Owner) -> Pruned:
    """Remove what is older than ``older_than`` (ms) at ``now`` (epoch ms) and is not needed, under the lease.

    Raises LeaseHeldError if another run holds the lease, DiagnosticError if the ledger cannot be read or written.
    """
    location = locate(asked, environ)
    documents = SharedDocuments(location) if location.is_shared else None
    try:
        store = RunStore(documents or _directory(asked, location))
        with closing(open_at(location)) as ledger:
            holder = ledger.acquire(
                who.name, who.host, who.pid, now, LIFETIME, pipeline=who.pipeline, commit=who.commit
            )
            try:
                records = _records(store, location)
                found = prune_ledger(location, holder, ledger, _limit(records, older_than, now))
                old = _old(records, now - older_than)
                for run in old:
                    store.delete(run)
            finally:
                ledger.release(holder)
    finally:
        if documents is not None:
            documents.close()
    return Pruned(location, now - older_than, found, old)


def _directory(asked: Asked, location: Location) -> Path:
    """The directory of the drill records: beside the ledger of a stack that does not set another location."""
    where = Path(asked.where)
    if where.suffix == ".db":
        assert location.path is not None  # noqa: S101 - narrows a type
        return location.path.parent
    return (where if where.is_dir() else where.parent) / DIRECTORY


def _records(store: RunStore, location: Location) -> list[Record]:
    return [record for record in store.records() if record.stack == location.stack]


def _old(records: Sequence[Record], before: int) -> list[str]:
    """The runs that have ended, or were rehearsals that died."""
    return [record.run for record in records if (record.over or record.rehearsal) and record.last_at < before]


def _limit(records: Sequence[Record], older_than: int, now: int) -> Limit:
    """Everything that a drill sent is needed while the drill can be resumed or aborted."""
    running = [sent for record in records if not record.over for sent in record.emissions]
    return Limit(now, older_than, frozenset(key for sent in running for key in (*sent.keys, *sent.clear_keys)))
