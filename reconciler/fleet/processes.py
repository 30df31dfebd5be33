"""The processes engine: worker processes on this machine, each of which runs unit after unit.

A worker is a process of its own, so that a unit that hangs can be killed and no unit can harm another. It is started
for the first unit that finds no idle worker, and kept for the next ones: what is imported is imported once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import IO, NamedTuple

import reconciler
from reconciler.app.unit import Unit, UnitKind, UnitResult, UnitState, parse_result, unit_json
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.duration import format_duration
from reconciler.core.exit_code import ExitCode
from reconciler.core.text import sanitize
from reconciler.fleet.engine import Event, Finished, Limits, Started
from reconciler.fleet.worker import BEGAN

_STARTING_S = 60.0
"""How long a new worker may take to begin its first unit, on top of the unit's deadline."""


class _Message(NamedTuple):
    """A line of a worker; None when its output has ended."""

    worker: _Worker
    line: str | None


@dataclass(slots=True, eq=False)
class _Worker:
    """A worker process, and the unit it runs; ``due`` is when (monotonic) something must be done about that unit."""

    process: subprocess.Popen[str]
    errors: IO[bytes]
    unit: Unit | None = None
    due: float | None = None
    began_at: int = 0
    timed_out: bool = False
    asked: bool = False
    killed: bool = False

    @property
    def name(self) -> str:
        return f"process {self.process.pid}"


@dataclass(slots=True)
class ProcessEngine:
    """Runs units in processes; a context manager that ends them. ``environ`` is the environment of the workers."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _workers: list[_Worker] = field(default_factory=list)
    _news: SimpleQueue[_Message | None] = field(default_factory=SimpleQueue)
    _stopping: bool = False

    def __enter__(self) -> ProcessEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, units: Iterable[Unit], limits: Limits) -> Iterator[Event]:
        """Run the units as ``Engine`` says."""
        source = iter(units)
        while True:
            yield from self._begin(source, limits)
            busy = [worker for worker in self._workers if worker.unit is not None]
            if not busy:
                return
            if self._stopping:
                for worker in busy:
                    self._ask(worker, limits)
            message = self._next(busy)
            if message is not None:
                yield from self._handle(message)
            for worker in busy:
                if worker.unit is not None and worker.due is not None and worker.due <= time.monotonic():
                    self._overdue(worker, limits)

    def stop(self) -> None:
        """Take no further unit, and ask those that run to stop."""
        self._stopping = True
        self._news.put(None)

    def close(self, patience: float = 5.0) -> None:
        """End the workers: those that are idle leave at once, the others are asked to, then killed."""
        for worker in self._workers:
            if worker.unit is not None:
                _signal(worker)
            with suppress(OSError):
                worker.process.stdin.close()  # type: ignore[union-attr]  # it has one
        for worker in self._workers:
            try:
                worker.process.wait(patience)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            worker.errors.close()
        self._workers.clear()

    def _begin(self, source: Iterator[Unit], limits: Limits) -> Iterator[Event]:
        """Hand out units while there is room."""
        while not self._stopping and sum(worker.unit is not None for worker in self._workers) < limits.max_parallel:
            unit = next(source, None)
            if unit is None:
                return
            idle = next((worker for worker in self._workers if worker.unit is None and not worker.asked), None)
            worker = idle or self._start()
            worker.unit, worker.began_at = unit, time.time_ns() // 1_000_000
            starting = _STARTING_S if idle is None else 0.0
            worker.due = None if unit.deadline is None else time.monotonic() + starting + unit.deadline / 1000
            with suppress(OSError):  # it is dead: its output has ended, and says so
                assert worker.process.stdin is not None  # noqa: S101 - narrows a type
                worker.process.stdin.write(unit_json(unit) + "\n")
                worker.process.stdin.flush()
            yield Started(unit, worker.name)

    def _start(self) -> _Worker:
        # A session of its own: Ctrl-C reaches the parent alone.
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the worker
        package = str(Path(reconciler.__file__).parents[1])
        path = os.pathsep.join(filter(None, [self.environ.get("PYTHONPATH"), package]))
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "reconciler.fleet.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            env={**self.environ, "PYTHONPATH": path, "PYDANTIC_DISABLE_PLUGINS": "__all__"},
            start_new_session=True,
        )
        worker = _Worker(process, errors)
        threading.Thread(target=self._read, args=(worker,), name=worker.name, daemon=True).start()
        self._workers.append(worker)
        return worker

    def _read(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None  # noqa: S101 - narrows a type
        with worker.process.stdout as lines:
            for text in lines:
                self._news.put(_Message(worker, text))
        self._news.put(_Message(worker, None))

    def _next(self, busy: list[_Worker]) -> _Message | None:
        """The next message, or None: someone called stop, or a worker is overdue."""
        due = min((worker.due for worker in busy if worker.due is not None), default=None)
        try:
            return self._news.get(timeout=None if due is None else max(0.0, due - time.monotonic()))
        except Empty:
            return None

    def _handle(self, message: _Message) -> Iterator[Event]:
        worker = message.worker
        if message.line is None:
            self._workers.remove(worker)
            worker.process.wait()
            if worker.unit is not None:
                yield Finished(_died(worker))
            worker.errors.close()
        elif message.line.strip() == BEGAN:
            if worker.unit is not None and worker.unit.deadline is not None and not worker.asked:
                worker.due = time.monotonic() + worker.unit.deadline / 1000
        else:
            yield Finished(_told(worker, parse_result(message.line)))
            worker.unit, worker.due = None, None
            if worker.asked:  # the request may still be on its way
                self._retire(worker)

    def _overdue(self, worker: _Worker, limits: Limits) -> None:
        """Ask a worker to stop whose unit should have ended; kill one that was asked in vain."""
        if worker.asked:
            worker.killed = True
            worker.process.kill()
            worker.due = None
        else:
            worker.timed_out = True
            self._ask(worker, limits)

    def _ask(self, worker: _Worker, limits: Limits) -> None:
        if not worker.asked:
            worker.asked = True
            worker.due = time.monotonic() + limits.grace / 1000
            _signal(worker)

    def _retire(self, worker: _Worker) -> None:
        """Let a worker leave; another takes its place when one is needed."""
        with suppress(OSError):
            worker.process.stdin.close()  # type: ignore[union-attr]  # it has one


def _signal(worker: _Worker) -> None:
    with suppress(OSError):
        worker.process.send_signal(signal.SIGTERM)


def _told(worker: _Worker, result: UnitResult) -> UnitResult:
    """What a worker told, and what only the engine knows of it."""
    result = replace(result, worker=worker.name)
    if not worker.timed_out or result.state is not UnitState.INTERRUPTED:
        return result
    code = ExitCode.PARTIAL if result.run else ExitCode.ERROR
    told = (_too_long(result.unit, "it was asked to stop, and did"), *result.diagnostics)
    return replace(result, state=UnitState.TIMED_OUT, exit_code=code, diagnostics=told)


def _died(worker: _Worker) -> UnitResult:
    """The result of a unit whose worker is gone."""
    unit = worker.unit
    assert unit is not None  # noqa: S101 - narrows a type
    after = "; what it had sent is settled by the next apply" if unit.kind in (UnitKind.APPLY, UnitKind.CHECK) else ""
    if worker.killed:
        how = f"it was asked to stop and did not, so {worker.name} was killed{after}"
        told = (
            _too_long(unit, how)
            if worker.timed_out
            else Diagnostic(how[0].upper() + how[1:], hint=f"see it with: reconciler status {unit.path}")
        )
    else:
        code = worker.process.returncode
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        last = sanitize(_last_line(worker.errors))
        told = Diagnostic(f"{worker.name} ended {how} in the middle of its work{after}{f': {last}' if last else ''}")
    state = UnitState.TIMED_OUT if worker.timed_out else UnitState.INTERRUPTED if worker.killed else UnitState.FAILED
    return UnitResult(
        unit,
        state,
        ExitCode.PARTIAL if unit.kind is UnitKind.APPLY else ExitCode.ERROR,
        diagnostics=(told,),
        worker=worker.name,
        started_at=worker.began_at,
        ended_at=time.time_ns() // 1_000_000,
    )


def _too_long(unit: Unit, how: str) -> Diagnostic:
    longest = format_duration(unit.deadline or 0)
    hint = "give it more time with --deadline, or find out what it waits for: reconciler plan " + unit.path
    return Diagnostic(f"it did not end within {longest}: {how}", hint=hint)


def _last_line(errors: IO[bytes]) -> str:
    """The last line that a worker wrote to its standard error."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - 4096))
    return (errors.read().decode("utf-8", "replace").strip().splitlines() or [""])[-1]
