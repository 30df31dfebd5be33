"""The task of the Dask engine: runs a batch of units in a thread of a Dask worker.

Dask reruns a task if its worker dies, and may rerun one that has ended. Nothing here prevents that: leases, fences and
settling make it harmless.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from distributed import get_worker

from reconciler import __version__
from reconciler.app.run_batch import run_batch
from reconciler.app.unit import Unit, parse_units, result_json

BEGAN = "began"
"""The kinds of events: a worker has started a task, or works on one of its units alone (``unit`` is its number)."""


class Stops:
    """Stop requests for the tasks of this process, by task name, since signals do not reach a worker's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: set[str] = set()
        self._events: dict[str, list[threading.Event]] = {}

    def ask(self, tasks: list[str]) -> None:
        """Ask tasks to stop, whether they have started here or not."""
        with self._lock:
            self._asked.update(tasks)
            for event in (event for task in tasks for event in self._events.get(task, ())):
                event.set()

    def is_asked(self, task: str) -> bool:
        with self._lock:
            return task in self._asked

    @contextmanager
    def listening(self, task: str, event: threading.Event) -> Iterator[None]:
        """While the block runs, set the event on a stop request, including an earlier one."""
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


class VersionError(RuntimeError):
    """A worker has another version of reconciler than the command."""


class Call:
    """A call of ``run_task`` as a pickle: loading it runs the task.

    Dask loads the function of a task outside of the task, and a worker that cannot, since it has no reconciler, dies.
    """

    def __init__(self, *arguments: object) -> None:
        self._arguments = arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return run_task, self._arguments


_STOPS = Stops()


def ask_to_stop(tasks: list[str]) -> None:
    """Ask tasks to stop; to be run on every worker."""
    _STOPS.ask(tasks)


def run_task(task: str, topic: str, lines: str, version: str, workers: int) -> list[str]:
    """Run a batch of units, given as JSON, and return the results as JSON, in the order of the units.

    ``task`` is the task's name, ``topic`` the topic of its progress events; ``workers`` processes share the work.
    """
    if version != __version__:
        raise VersionError(f"the worker has reconciler {__version__}, and the fleet was started by {version}")
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
