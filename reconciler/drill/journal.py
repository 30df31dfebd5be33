"""The journal: keeps the record of one run up to date, on disk and for whoever watches."""

from __future__ import annotations

import json
from collections.abc import Callable

from pydantic import JsonValue

from reconciler.checks.result import Report
from reconciler.core.clock import Clock
from reconciler.core.data_source import Item
from reconciler.drill.record import CheckRecord, Emission, LogEntry, Record, StepRecord
from reconciler.drill.store import RunStore

Watcher = Callable[[Record], None]
"""Is told of a run each time its record changes."""


class RunJournal:
    """The one place where the record of a run changes; each change is on disk when its method returns."""

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
        """The present, by the clock of the run (epoch ms)."""
        return self._clock.now()

    def write(self, *entries: str, **changes: object) -> None:
        """Change members of the record, and add lines to its log."""
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
        """Add alarms and events that are being sent; one that was sent before by the same key stays as it is."""
        known = {key for sent in self.record.emissions for key in sent.keys}
        self.write(
            *entries, emissions=(*self.record.emissions, *(one for one in new if not known.intersection(one.keys)))
        )

    def update(self, change: Callable[[Emission], Emission], *entries: str) -> None:
        """Put every alarm and event through a function; nothing is written where nothing changes."""
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
