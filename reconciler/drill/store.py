"""The store: the records of runs, kept as files under ``.reconciler/drills``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.files import write_text
from reconciler.drill.record import Record
from reconciler.ledger.protocol import matching_runs

DIRECTORY = "drills"
_RUN = re.compile(r"[A-Za-z0-9_.-]{1,200}")


class RunStore:
    """The records of the drills of one stack, and the requests to abort them; ``directory`` is the stack's state.

    ``redact`` takes secrets out of a document before it is written.
    """

    def __init__(self, directory: Path, redact: Callable[[object], object] = lambda document: document) -> None:
        self.directory = directory / DIRECTORY
        self._redact = redact

    def file(self, run: str) -> Path:
        return self.directory / f"{run}.json"

    def save(self, record: Record) -> None:
        """Write a record durably: whole, or not at all."""
        self.directory.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self._redact(record.model_dump(mode="json", by_alias=True)), indent=1)
        write_text(self.file(record.run), f"{text}\n")

    def load(self, run: str) -> Record:
        """The record of a run, by its id or a unique beginning of it; DiagnosticError where there is none."""
        runs = matching_runs(run, self.runs())
        if len(runs) != 1:
            summary = f"more than one run begins with {run}" if runs else f"there is no run {run} of a drill"
            raise DiagnosticError(Diagnostic(summary, hint="`reconciler drill status` shows the runs there are"))
        return self._read(runs[0])

    def runs(self) -> list[str]:
        """The ids of all runs, newest first."""
        return sorted((file.stem for file in self.directory.glob("*.json") if _RUN.fullmatch(file.stem)), reverse=True)

    def records(self, drill: str | None = None, limit: int | None = None) -> list[Record]:
        """The records there are, newest first; of one drill where it is named."""
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
        """The last real run of any drill; the last rehearsal if there is none."""
        records = self.records()
        return next((record for record in records if not record.rehearsal), records[0] if records else None)

    def unfinished(self, drill: str | None = None) -> list[Record]:
        """Records of runs that have not ended, newest first; a rehearsal that died left nothing behind."""
        return [record for record in self.records(drill) if not record.over and not record.rehearsal]

    def request_abort(self, run: str) -> None:
        """Leave word for the process that plays a run."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._abort_file(run).touch()

    def abort_requested(self, run: str) -> bool:
        return self._abort_file(run).exists()

    def clear_abort(self, run: str) -> None:
        self._abort_file(run).unlink(missing_ok=True)

    def _abort_file(self, run: str) -> Path:
        return self.directory / f"{run}.abort"

    def _read(self, run: str) -> Record:
        try:
            return Record.model_validate_json(self.file(run).read_bytes())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            summary = f"{self.file(run)} is no record of a drill that this version can read: {where}: {first['msg']}"
            raise DiagnosticError(Diagnostic(summary, hint="move it away; `drill abort` needs no record")) from None
