"""A harness: a real stack with drills on an emulator, played in time that passes only when somebody waits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import Any

import requests

from reconciler.apply.lease import Owner
from reconciler.config.stack import Inputs
from reconciler.drill.context import Confirm, OperatorHooks
from reconciler.drill.drill import Drill
from reconciler.drill.load import read_drill
from reconciler.drill.record import Record, StepState
from reconciler.drill.run import abort, resume, start
from reconciler.drill.store import RunStore, Watcher
from reconciler.emulator.settings import Settings
from reconciler.session.workspace import Workspace, open_workspace
from tests.emulator.handle import Emulator

NOW = 1_800_000_000_000  # Friday, 15 January 2027, 08:00 UTC

STACK = """\
stack: shop
providers:
  aom: {{endpoint: "{url}", project_id: p1, auth: {{token: t}}, visible_within: 10s, lookback: 2d}}
data:
  aom_alarms:
    critical: {{event_severity: Critical}}
    slow: {{event_name: slow}}
checks:
  calm: {{data: aom_alarms.critical, expect: {{count: 0}}}}
  slow_fires: {{data: aom_alarms.slow, expect: {{count: 1}}, within: 30s}}
  never: {{data: aom_alarms.slow, expect: {{count: 99}}}}
drills:
"""
RESOURCES = """\
    resources:
      aom_alarm:
        slow: {event_severity: Major, resource_provider: ecs, resource_type: vm, resource_id: r1, timeout: 12h}
        broken: {event_severity: Minor, resource_provider: ecs, resource_type: vm, resource_id: r2, timeout: 5m}
      aom_event:
        failover: {event_severity: Info, resource_provider: ecs, resource_type: vm, resource_id: r1}
"""
STEPS = """\
    steps:
      - {name: one, at: 0s, raise: aom_alarm.slow}
      - {name: two, at: 1m, raise: aom_alarm.broken}
      - {name: told, at: 90s, record: aom_event.failover}
      - {name: back, at: 2m, clear: aom_alarm.slow}
      - {name: last, at: 3m, note: The end}
"""


class EmulatedClock:
    """The emulator's clock, moved on by whoever waits; several processes go by it, one at a time."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/admin/clock"
        self._session = requests.Session()
        self._lock = Lock()
        self._now = 0
        self.refresh()

    def refresh(self) -> None:
        """Take over how far others have moved it."""
        self._now = int(self._session.get(self._url).json()["now"])

    def now(self) -> int:
        return self._now

    def monotonic(self) -> int:
        return self.now()

    def pause(self, milliseconds: int, stop: Event) -> bool:
        with self._lock:
            answer = self._session.post(self._url, json={"advance": max(1, milliseconds)})
            self._now = int(answer.json()["now"])
        return stop.is_set()


class Killed(BaseException):
    """Stands for the death of the process."""


def killed_after(step: int) -> Watcher:
    """A watcher that has the process die once this step is done."""

    def die(record: Record) -> None:
        if record.steps[step].state is StepState.DONE:
            raise Killed

    return die


def quiet(_: Record) -> None:
    """Watch nothing."""


def confirmed(_: Record, __: str, ___: Callable[[], bool]) -> str | None:
    """Confirm at once."""
    return "confirmed"


@dataclass
class Harness:
    """One emulator, one directory with a stack in it."""

    emulator: Emulator
    directory: Path
    fresh: bool = True

    def __post_init__(self) -> None:
        self.stop = Event()
        if self.fresh:
            self.emulator.set_clock(now=NOW, speed=0)
        self.clock = EmulatedClock(self.emulator.url)

    def write(self, text: str | None = None, *, name: str = "outage", head: str = "", steps: str = STEPS) -> Path:
        """A stack with one drill, unless the text of ``drills`` is given."""
        drills = text if text is not None else f"  {name}:\n{head}{RESOURCES}{steps}"
        file = self.directory / "stack.yaml"
        file.write_text(STACK.format(url=self.emulator.url) + drills)
        return file

    @contextmanager
    def open(self) -> Iterator[Workspace]:
        self.clock.refresh()
        with open_workspace(self.directory, Inputs(), clock=self.clock, data=False) as workspace:
            yield workspace

    @property
    def run_store(self) -> RunStore:
        return RunStore(self.directory / ".reconciler")

    def hooks(
        self,
        *,
        watcher: Watcher = quiet,
        confirm: Confirm = confirmed,
        approve: Callable[[Drill], bool] = lambda _: True,
    ) -> OperatorHooks:
        return OperatorHooks(Owner("tester", "here", os.getpid()), confirm, approve, watcher, self.stop)

    def read(self, workspace: Workspace, name: str = "outage") -> Drill:
        return read_drill(workspace.stack, name, list(workspace.registry), workspace.ask)

    def start(self, name: str = "outage", **hooks: Any) -> Record:
        with self.open() as workspace:
            return start(workspace, self.read(workspace, name), self.run_store, self.hooks(**hooks))

    def resume(self, name: str = "outage", **hooks: Any) -> Record:
        with self.open() as workspace:
            record = self.run_store.unfinished(name)[0]
            return resume(workspace, self.read(workspace, name), record, self.run_store, self.hooks(**hooks))

    def abort(self, name: str = "outage", run_store: RunStore | None = None, **hooks: Any) -> Record:
        with self.open() as workspace:
            return abort(workspace, name, run_store or self.run_store, self.hooks(**hooks))

    def active(self) -> list[str]:
        """The addresses of all active alarms, sorted."""
        return sorted(alarm["metadata"]["reconciler_address"] for alarm in self.emulator.active_alarms())

    def pushes(self) -> list[dict[str, Any]]:
        """Every item that was pushed to be raised or recorded, in order."""
        return [item for body in self.emulator.bodies("push") for item in body["events"]]


def start_harness(start: Callable[[Settings], Emulator], directory: Path, settings: Settings | None = None) -> Harness:
    return Harness(start(settings or Settings()), directory)


def offsets(record: Record) -> dict[str, tuple[int, int]]:
    """Of each step that began, the planned and the true offset (ms)."""
    return {
        step.name: (step.planned, record.at(step.started_at)) for step in record.steps if step.started_at is not None
    }
