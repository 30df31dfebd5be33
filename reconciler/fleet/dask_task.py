"""The task of the Dask engine: what a Dask worker does with a batch of units, in one of its threads.

Dask runs a task again when its worker dies, and may run one again that had ended. Nothing here prevents that: leases,
fences and settling make it harmless.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from distributed import get_worker

from reconciler import __version__
from reconciler.app.run_batch import run_batch
from reconciler.app.unit import Unit, parse_units, result_json

BEGAN = "began"
"""What an event tells: a worker has begun a task, or works on one of its units alone (``unit`` is its number)."""


class Stops:
    """Requests to stop the tasks of this process, by the name of the task; signals do not reach a worker's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: set[str] = set()
        self._events: dict[str, list[threading.Event]] = {}

    def ask(self, tasks: list[str]) -> None:
        """Ask tasks to stop, whether they have begun here or not."""
        with self._lock:
            self._asked.update(tasks)
            for event in (event for task in tasks for event in self._events.get(task, ())):
                event.set()

    def is_asked(self, task: str) -> bool:
        with self._lock:
            return task in self._asked

    @contextmanager
    def listening(self, task: str, event: threading.Event) -> Iterator[None]:
        """Let a request to stop, also an earlier one, set the event meanwhile."""
        with self._lock:
            self._events.setdefault(task, []).append(event)
            if task in self._asked:
                event.set()
        try:
            yield
        finally:
            with self._lock:
                self._events[task].remove(event)
                if not self._events[task]:
                    del self._events[task]


_STOPS = Stops()


def ask_to_stop(tasks: list[str]) -> None:
    """Ask tasks to stop; to be run on every worker."""
    _STOPS.ask(tasks)


def run_task(task: str, topic: str, lines: str, version: str, workers: int) -> list[str]:
    """Run a batch of units, given as JSON, and give the results as JSON, in the order of the units.

    ``task`` is its name, ``topic`` that of the events that tell how far it is; ``workers`` processes share the work.
    """
    if version != __version__:
        raise RuntimeError(f"the worker has reconciler {__version__}, and the fleet was started by {version}")
    units = parse_units(lines)
    worker = get_worker()

    def report(**more: object) -> None:
        worker.log_event(topic, {BEGAN: task, "worker": worker.address, "pid": os.getpid(), **more})

    def began(unit: Unit) -> None:
        if _STOPS.is_asked(task):
            raise KeyboardInterrupt
        report(unit=units.index(unit))

    report()
    found = run_batch(
        units,
        lambda event: _STOPS.listening(task, event),
        began=began,
        workers=workers,
        need_shared_ledger=True,
    )
    results = {units.index(result.unit): result_json(result) for result in found}
    return [results[number] for number in range(len(units))]
