"""The store of run records, as files or in a shared ledger, updated while each run proceeds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from pydantic import JsonValue, ValidationError

from reconciler.checks.result import Report
from reconciler.core.clock import Clock
from reconciler.core.data_source import Item
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, expectation
from reconciler.core.digest import digest
from reconciler.drill.record import CheckRecord, DrillStatus, Emission, LogEntry, Record, StepRecord
from reconciler.ledger.documents import Documents, Files
from reconciler.ledger.lease import is_dead
from reconciler.ledger.protocol import Holder, LeaseLostError, matching_runs

DIRECTORY = "drills"
_CHECKSUM = "checksum"  # of the rest of the document; older records have no digest
_MEND = "put back a copy of it, or move it away; `drill abort` needs no record to clear what is left"
_RUN = re.compile(r"[A-Za-z0-9_.-]{1,200}")


class RunStore:
    """The records of one stack's drills, and abort requests.

    ``place`` is the stack's state directory, or other documents. ``redact`` removes secrets from a document before it
    is written.
    """

    def __init__(self, place: Path | Documents, redact: Callable[[object], object] = lambda document: document) -> None:
        self._documents = Files(place / DIRECTORY) if isinstance(place, Path) else place
        self._redact = redact

    def where(self, run: str) -> str:
        """The location of a record, for messages."""
        return self._documents.where(f"{run}.json")

    def save(self, record: Record) -> None:
        """Write a record durably and atomically."""
        document = self._redact(record.model_dump(mode="json", by_alias=True))
        assert isinstance(document, dict)  # noqa: S101 - narrows a type
        text = json.dumps(document | {_CHECKSUM: digest(document)}, indent=1)
        self._documents.write(f"{record.run}.json", f"{text}\n")

    def is_taken_over(self, record: Record) -> bool:
        """Whether another process has resumed, aborted or ended the run since this record of it."""
        try:
            stored = json.loads(self._documents.read(f"{record.run}.json") or "{}")
        except ValueError:  # damaged: it is about to be replaced
            return False
        if not isinstance(stored, dict):
            return False
        is_over = stored.get("ended_at") is not None
        return len(stored.get("deaths") or ()) > len(record.deaths) or (is_over and not record.over)

    def delete(self, run: str) -> None:
        """Remove a record."""
        self._documents.delete(f"{run}.json")
        self.clear_abort(run)

    def load(self, run: str) -> Record:
        """The record of a run, by its id or a unique prefix. Raises DiagnosticError if there is none."""
        runs = matching_runs(run, self.runs())
        if len(runs) != 1:
            summary = f"more than one run begins with {run}" if runs else f"there is no drill run {run}"
            raise DiagnosticError(Diagnostic(summary, hint="`reconciler drill status` lists the last runs"))
        return self._read(runs[0])

    def runs(self) -> list[str]:
        """The ids of all runs, newest first."""
        ids = (name.removesuffix(".json") for name in self._documents.names(".json"))
        return sorted((id for id in ids if _RUN.fullmatch(id)), reverse=True)

    def records(self, drill: str | None = None, limit: int | None = None) -> list[Record]:
        """The records, newest first, of all drills or of one."""
        found: list[Record] = []
        for run in self.runs():
            record = self._read(run)
            if drill is None or record.drill == drill:
                found.append(record)
                if limit is not None and len(found) >= limit:
                    break
        return found

    def latest(self) -> dict[str, Record]:
        """The last run of each drill, newest first: a rehearsal only of a drill that has no real run."""
        records = self.records()
        real = {record.drill for record in records if not record.rehearsal}
        found: dict[str, Record] = {}
        for record in records:
            if not (record.rehearsal and record.drill in real):
                found.setdefault(record.drill, record)
        return found

    def last(self) -> Record | None:
        """The last real run of any drill; without one, the last rehearsal."""
        records = self.records()
        return next((record for record in records if not record.rehearsal), records[0] if records else None)

    def unfinished(self, drill: str | None = None) -> list[Record]:
        """The records of runs that have not ended, newest first, without rehearsals that died, which left nothing
        behind.
        """
        return [record for record in self.records(drill) if not record.over and not record.rehearsal]

    def request_abort(self, run: str) -> None:
        """Request an abort from the process of a run."""
        self._documents.write(_abort(run), "")

    def abort_requested(self, run: str) -> bool:
        return self._documents.read(_abort(run)) is not None

    def clear_abort(self, run: str) -> None:
        self._documents.delete(_abort(run))

    def _read(self, run: str) -> Record:
        file = self.where(run)
        try:
            document = json.loads(self._documents.read(f"{run}.json") or "")
            if not isinstance(document, dict):
                raise ValueError("it is not a record of a drill")
            known = document.pop(_CHECKSUM, None)
            if known is not None and known != digest(document):
                raise ValueError("it was altered")
            return Record.model_validate(document)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            why = f"{'.'.join(map(str, first['loc']))} {expectation(first['type'])}"
            raise DiagnosticError(Diagnostic(f"{file} cannot be read by this version: {why}", hint=_MEND)) from None
        except (ValueError, RecursionError) as error:
            why = "it is not JSON" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else str(error)
            raise DiagnosticError(Diagnostic(f"{file} is damaged: {why}", hint=_MEND)) from None


def _abort(run: str) -> str:
    """The name of the document with the abort request for the process of a run."""
    return f"{run}.abort"


def current_state(record: Record, holder: Holder | None, host: str) -> Record:
    """The record with ``died`` in place of ``running`` if its process has ended.

    ``holder`` is the current holder of the stack's lease: a real run is alive only while it holds it. A rehearsal takes
    no lease, and is alive as long as its process runs on this ``host``.
    """
    if record.over or record.rehearsal:
        return local_state(record, host)
    alive = holder is not None and (holder.host, holder.pid) == (record.host, record.pid)
    return record if alive else _died(record)


def local_state(record: Record, host: str) -> Record:
    """The same as far as this ``host`` can determine without the ledger."""
    gone = not record.over and record.host == host and is_dead(record.pid, None)
    return _died(record) if gone else record


def _died(record: Record) -> Record:
    return record.model_copy(update={"ending": DrillStatus.DIED})


Watcher = Callable[[Record], None]
"""Called each time the record of a run changes."""


class RunJournal:
    """The only place where a run's record changes; each change is on disk when its method returns.

    Every change raises LeaseLostError once another process has taken over the run: the record is that one's then.
    """

    def __init__(
        self,
        record: Record,
        store: RunStore,
        clock: Clock,
        watcher: Watcher,
        is_worth_saving: Callable[[Record], bool] = lambda _: True,
    ) -> None:
        self.record = record
        self._store = store
        self._clock = clock
        self._watcher = watcher
        self._is_worth_saving = is_worth_saving

    def now(self) -> int:
        """The current time by the run's clock (epoch ms)."""
        return self._clock.now()

    def write(self, *entries: str, **changes: object) -> None:
        """Change members of the record, and add lines to its log."""
        if self._store.is_taken_over(self.record):
            raise LeaseLostError(f"another process has taken over the run {self.record.run}")
        now = self._clock.now()
        log = (*self.record.log, *(LogEntry(at=now, text=entry) for entry in entries))
        self.record = self.record.model_copy(update={"log": log, **changes})
        if self._is_worth_saving(self.record):
            self._store.save(self.record)
        self._watcher(self.record)

    def step(self, name: str, *entries: str, **changes: object) -> StepRecord:
        """Change members of a step."""
        steps = tuple(step.model_copy(update=changes) if step.name == name else step for step in self.record.steps)
        self.write(*entries, steps=steps)
        return next(step for step in steps if step.name == name)

    def send(self, *new: Emission, entries: tuple[str, ...] = ()) -> None:
        """Add alarms and events that are being sent; one with the same key as an existing one is skipped."""
        known = {key for sent in self.record.emissions for key in sent.keys}
        self.write(
            *entries, emissions=(*self.record.emissions, *(one for one in new if not known.intersection(one.keys)))
        )

    def update(self, change: Callable[[Emission], Emission], *entries: str) -> None:
        """Apply a function to every alarm and event; written only if something changes."""
        sent = tuple(change(one) for one in self.record.emissions)
        if sent != self.record.emissions or entries:
            self.write(*entries, emissions=sent)

    def checked(self, phase: str, report: Report) -> None:
        """Add the results of checks, with their evidence."""
        found = tuple(
            CheckRecord(
                phase=phase,
                name=result.name,
                status=result.status.value,
                reason=result.outcome.reason,
                about=result.about,
                description=result.description,
                started_at=result.started_at,
                ended_at=result.ended_at,
                items=tuple(map(_plain, result.outcome.failing_items)),
            )
            for result in report.results
        )
        self.write(
            *(f"check {one.name}: {one.status}: {one.reason}" for one in found), checks=(*self.record.checks, *found)
        )


def _plain(item: Item) -> dict[str, JsonValue]:
    value: dict[str, JsonValue] = json.loads(json.dumps(item, default=str))
    return value
