"""The processes engine: worker processes on this machine, each running one unit after another.

A worker is a separate process, so that a unit that hangs can be killed and cannot harm another. It is started for the
first unit that finds no idle worker, and kept for later ones, so that imports are loaded once. For units that only
query, it is a fork of this process if that is safe (``reconciler.fleet.fork``), else a new interpreter.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import IO, NamedTuple, Protocol

import reconciler
from reconciler.app.unit import BATCHED, Unit, UnitKind, UnitResult, UnitState, parse_result, units_json
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.duration import MINUTE, SECOND, format_duration, in_seconds
from reconciler.core.exit_code import ExitCode
from reconciler.core.system_clock import monotonic, now
from reconciler.core.text import sanitize
from reconciler.fleet.engine import EngineLimits, Event, Finished, Started, next_units

BEGAN = "began"
"""What a worker writes when it starts the units of a line and, with its number, when it works on one of them alone.

A line with the result of each unit follows.
"""
_STARTING = MINUTE
"""How long (ms) a new worker may take to start its first unit, on top of the unit's deadline."""


class _Process(Protocol):
    """The process interface that the engine uses."""

    @property
    def pid(self) -> int: ...
    @property
    def stdin(self) -> IO[str] | None: ...
    @property
    def stdout(self) -> IO[str] | None: ...
    @property
    def returncode(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int, /) -> None: ...
    def kill(self) -> None: ...


class _Message(NamedTuple):
    """A line from a worker; None at the end of its output."""

    worker: _Worker
    line: str | None


@dataclass(slots=True, eq=False)
class _Worker:
    """A worker process, and the units it runs; ``due`` is when (monotonic) it must be asked to stop or killed.

    ``batch`` is what it was given, ``units`` are those that have not ended, and ``current`` is the one it works on, if
    it works on one alone.
    """

    process: _Process
    errors: IO[bytes]
    batch: list[Unit] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    current: Unit | None = None
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
    _unread: list[_Worker] = field(default_factory=list)
    _news: SimpleQueue[_Message | None] = field(default_factory=SimpleQueue)
    _again: list[Unit] = field(default_factory=list)
    _stopping: bool = False

    def __enter__(self) -> ProcessEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, units: Iterable[Unit], limits: EngineLimits) -> Iterator[Event]:
        """Run the units as ``Engine`` says."""
        source = iter(units)
        while True:
            yield from self._begin(source, limits)
            self._read_new()
            busy = [worker for worker in self._workers if worker.units]
            if not busy:
                return
            if self._stopping:
                for worker in busy:
                    self._ask(worker, limits)
            message = self._next(busy)
            if message is not None:
                yield from self._handle(message)
            for worker in busy:
                if worker.units and worker.due is not None and worker.due <= monotonic():
                    self._overdue(worker, limits)

    def stop(self) -> None:
        """Start no further unit, and ask running units to stop."""
        self._stopping = True
        self._news.put(None)

    def close(self, grace: int = 5 * SECOND) -> None:
        """End the workers: idle ones exit at once, the others are asked to stop, then killed."""
        for worker in self._workers:
            if worker.units:
                _signal(worker)
            with suppress(OSError):
                worker.process.stdin.close()  # type: ignore[union-attr]  # it has one
        for worker in self._workers:
            try:
                worker.process.wait(in_seconds(grace))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            worker.errors.close()
        self._workers.clear()

    def _begin(self, source: Iterator[Unit], limits: EngineLimits) -> Iterator[Event]:
        """Submit units while there is room."""
        while not self._stopping and sum(bool(worker.units) for worker in self._workers) < limits.max_parallel:
            units = [self._again.pop()] if self._again else next_units(source, limits)
            if not units:
                return
            idle = next((worker for worker in self._workers if not worker.units and not worker.asked), None)
            worker = idle or self._start(limits.max_parallel, units[0].kind)
            worker.batch, worker.units, worker.current = units, list(units), units[0] if len(units) == 1 else None
            worker.began_at = now()
            starting, deadline = _STARTING if idle is None else 0, units[0].deadline
            worker.due = None if deadline is None else monotonic() + starting + deadline
            with suppress(OSError):  # the worker is dead, and the end of its output reports it
                assert worker.process.stdin is not None  # noqa: S101 - narrows a type
                worker.process.stdin.write(units_json(units) + "\n")
                worker.process.stdin.flush()
            for unit in units:
                yield Started(unit, worker.name)

    def _start(self, workers: int, kind: UnitKind) -> _Worker:
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the worker
        process = self._fork(errors, workers) if kind in BATCHED else None
        worker = _Worker(process or self._launch(errors, workers), errors)
        self._workers.append(worker)
        self._unread.append(worker)
        return worker

    def _fork(self, errors: IO[bytes], workers: int) -> _Process | None:
        """A fork of this process; None if that is not safe."""
        if sys.platform != "linux":  # on other systems, system libraries do not support a fork without exec
            return None
        from reconciler.fleet.fork import can_fork, fork_worker

        if not can_fork():
            return None
        others = [stream for each in self._workers for stream in (each.process.stdin, each.process.stdout)]
        return fork_worker(errors, self.environ, workers, others)

    def _launch(self, errors: IO[bytes], workers: int) -> _Process:
        # A new session, so that Ctrl-C reaches only the parent.
        package = str(Path(reconciler.__file__).parents[1])
        path = os.pathsep.join(filter(None, [self.environ.get("PYTHONPATH"), package]))
        return subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-P", "-m", "reconciler.fleet.worker", str(workers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            env={**self.environ, "PYTHONPATH": path, "PYDANTIC_DISABLE_PLUGINS": "__all__"},
            start_new_session=True,
        )

    def _read_new(self) -> None:
        """Read the output of new workers, each in a thread. From then on no further worker can be forked."""
        for worker in self._unread:
            threading.Thread(target=self._read, args=(worker,), name=worker.name, daemon=True).start()
        self._unread.clear()

    def _read(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None  # noqa: S101 - narrows a type
        with worker.process.stdout as lines:
            for text in lines:
                self._news.put(_Message(worker, text))
        self._news.put(_Message(worker, None))

    def _next(self, busy: list[_Worker]) -> _Message | None:
        """The next message. None if ``stop`` was called, or if a worker is overdue."""
        due = min((worker.due for worker in busy if worker.due is not None), default=None)
        try:
            return self._news.get(timeout=None if due is None else in_seconds(max(0, due - monotonic())))
        except Empty:
            return None

    def _handle(self, message: _Message) -> Iterator[Event]:
        worker = message.worker
        if message.line is None:
            self._workers.remove(worker)
            worker.process.wait()
            for unit in worker.units:
                yield from self._end(worker, unit, None)
            worker.errors.close()
        elif message.line.startswith(BEGAN):
            number = message.line.removeprefix(BEGAN).strip()
            worker.current = worker.batch[int(number)] if number else worker.current
            deadline = (worker.current or worker.batch[0]).deadline
            if deadline is not None and not worker.asked:
                worker.due = monotonic() + deadline
        else:
            result = parse_result(message.line)
            worker.units.remove(result.unit)
            yield from self._end(worker, result.unit, result)
            if not worker.units:
                worker.due = None
                if worker.asked:  # the stop request may not have arrived yet
                    self._retire(worker)

    def _end(self, worker: _Worker, unit: Unit, result: UnitResult | None) -> Iterator[Event]:
        """Report how a unit ended; None: its worker died. A unit that only waited for others of its batch is
        run again.
        """
        has_waited = len(worker.batch) > 1 and unit != worker.current and not self._stopping
        if has_waited and (result is None or result.state is UnitState.INTERRUPTED):
            self._again.append(unit)
        else:
            yield Finished(_died(worker, unit) if result is None else _told(worker, result))

    def _overdue(self, worker: _Worker, limits: EngineLimits) -> None:
        """Ask a worker with an overdue unit to stop; kill a worker that did not stop when asked."""
        if worker.asked:
            worker.killed = True
            worker.process.kill()
            worker.due = None
        else:
            worker.timed_out = True
            self._ask(worker, limits)

    def _ask(self, worker: _Worker, limits: EngineLimits) -> None:
        if not worker.asked:
            worker.asked = True
            worker.due = monotonic() + limits.grace
            _signal(worker)

    def _retire(self, worker: _Worker) -> None:
        """Let a worker exit; another one is started when needed."""
        with suppress(OSError):
            worker.process.stdin.close()  # type: ignore[union-attr]  # it has one


def _signal(worker: _Worker) -> None:
    with suppress(OSError):
        worker.process.send_signal(signal.SIGTERM)


def _told(worker: _Worker, result: UnitResult) -> UnitResult:
    """A worker's result, with what only the engine knows."""
    result = replace(result, worker=worker.name)
    if not worker.timed_out or result.state is not UnitState.INTERRUPTED:
        return result
    code = ExitCode.PARTIAL if result.run else ExitCode.ERROR
    told = (_too_long(result.unit, "it was asked to stop, and stopped"), *result.diagnostics)
    return replace(result, state=UnitState.TIMED_OUT, exit_code=code, diagnostics=told)


def _died(worker: _Worker, unit: Unit) -> UnitResult:
    """The result of a unit whose worker died."""
    if worker.asked and worker.process.returncode == -signal.SIGTERM:
        # It was still starting: it handles the signal from its first unit on.
        result = UnitResult(unit, UnitState.INTERRUPTED, ExitCode.INTERRUPTED, started_at=worker.began_at)
        return _told(worker, replace(result, ended_at=now()))
    after = "; the next apply settles what it had sent" if unit.kind in (UnitKind.APPLY, UnitKind.CHECK) else ""
    if worker.killed:
        how = f"it was asked to stop and did not, so {worker.name} was killed{after}"
        told = (
            _too_long(unit, how)
            if worker.timed_out
            else Diagnostic(how[0].upper() + how[1:], hint=f"see it with: reconciler status {unit.path}")
        )
    else:
        code = worker.process.returncode or 0
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
        ended_at=now(),
    )


def _too_long(unit: Unit, how: str) -> Diagnostic:
    longest = format_duration(unit.deadline or 0)
    hint = "give it more time with --deadline, or find out what it waits for: reconciler plan " + unit.path
    return Diagnostic(f"it did not end within {longest}: {how}", hint=hint)


def _last_line(errors: IO[bytes]) -> str:
    """The last line of a worker's standard error."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - 4096))
    return (errors.read().decode("utf-8", "replace").strip().splitlines() or [""])[-1]
