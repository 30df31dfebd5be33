"""The Dask engine: runs units on the workers of a Dask cluster; requires the extra ``dask``."""

from __future__ import annotations

import logging
import pickle
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any

import dask
from distributed import CancelledError, Client, Future, KilledWorker
from distributed.comm.core import CommClosedError

from reconciler import __version__
from reconciler.app.unit import Unit, UnitKind, UnitResult, UnitState, parse_result, units_json
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import MINUTE, SECOND, format_duration, in_seconds
from reconciler.core.exit_code import ExitCode
from reconciler.core.ledger_url import secrets_of
from reconciler.core.system_clock import monotonic, now
from reconciler.core.text import sanitize
from reconciler.fleet.dask_task import BEGAN, Call, VersionError, ask_to_stop
from reconciler.fleet.engine import EngineLimits, Event, Finished, Started, next_units

CONNECT = 10 * SECOND
"""Timeout (ms) for the scheduler to respond, and for a first worker to appear."""

ALONE = MINUTE
"""How long (ms) tasks wait while the scheduler has no worker."""

_CHECK_EVERY = 2 * SECOND
"""How often (ms) the connection and the workers are checked while nothing happens."""

_AGAIN = "run the command again when the cluster is healthy"
_INSTALL = f'install the same version on every worker: pip install "alarm-reconciler[dask]=={__version__}"'

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Task:
    """A submitted batch; ``due`` is when (monotonic) it must be asked to stop or given up."""

    name: str
    units: list[Unit]
    future: Future[list[str]]
    began_at: int = 0
    current: Unit | None = None
    workers: list[str] = field(default_factory=list)
    """The worker of each start of the task."""
    due: float | None = None
    asked: bool = False
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class _Ended:
    """A task has ended, for any reason."""

    task: str


class DaskEngine:
    """Runs units on a cluster; a context manager that connects to its scheduler and disconnects.

    Entering it raises DiagnosticError if the scheduler does not respond or has no workers.
    """

    def __init__(self, scheduler: str, *, connect: int = CONNECT, alone: int = ALONE) -> None:
        self._scheduler = scheduler
        self._connect = connect
        self._alone = alone
        self._news: SimpleQueue[_Ended | dict[str, Any] | None] = SimpleQueue()
        self._topic = f"reconciler-{secrets.token_hex(8)}"
        self._tasks: dict[str, _Task] = {}
        self._again: list[Unit] = []
        self._count = 0
        self._stopping = False
        self._lost: str | None = None
        self._alone_since: int | None = None
        self._client: Client | None = None
        self.reruns = 0
        """How often the cluster restarted a task."""

    def __enter__(self) -> DaskEngine:
        for name in ("distributed", "tornado.application"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # the results carry their errors
        dask.config.set({"distributed.comm.timeouts.connect": in_seconds(self._connect)})
        try:
            client = Client(self._scheduler, timeout=in_seconds(self._connect), set_as_default=False, name="reconciler")
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise DiagnosticError(
                Diagnostic(
                    f"the scheduler {self._scheduler} cannot be reached: {sanitize(str(error))}",
                    hint="check --scheduler, such as tcp://dask-scheduler:8786, and that `dask scheduler` runs there",
                )
            ) from None
        self._client = client
        try:
            client.wait_for_workers(1, timeout=in_seconds(self._connect))
        except (OSError, TimeoutError):
            self.close()
            raise DiagnosticError(
                Diagnostic(
                    f"the scheduler {self._scheduler} has no workers",
                    hint=f"start some where the stacks are: dask worker {self._scheduler}",
                )
            ) from None
        client.subscribe_topic(self._topic, self._told)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, units: Iterable[Unit], limits: EngineLimits) -> Iterator[Event]:
        """Run the units as ``Engine`` says."""
        source = iter(units)
        while True:
            if self._lost is None and not self._stopping:
                self._submit(source, limits)
            if not self._tasks:
                return
            if self._stopping:
                self._ask([task for task in self._tasks.values() if not task.asked], limits)
            news = self._next()
            if isinstance(news, dict):
                yield from self._began(news)
            elif news is not None:
                task = self._tasks.pop(news.task, None)
                if task is not None:  # the task may have been given up
                    yield from self._end(task)
            else:
                self._check_cluster()
            for due in [task for task in self._tasks.values() if task.due is not None]:
                yield from self._check(due, limits)

    def stop(self) -> None:
        """Start no further unit, and ask running units to stop."""
        self._stopping = True
        self._news.put(None)

    def close(self) -> None:
        """Disconnect from the scheduler; running tasks are left alone."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                client.close(timeout=2)

    @property
    def workers(self) -> int:
        """The number of worker processes in the cluster, at least 1."""
        return max(1, self._count_workers() or 0)

    def _submit(self, source: Iterator[Unit], limits: EngineLimits) -> None:
        """Submit units while there is room."""
        assert self._client is not None  # noqa: S101 - it is entered
        while len(self._tasks) < limits.max_parallel:
            units = [self._again.pop()] if self._again else next_units(source, limits)
            if not units:
                return
            self._count += 1
            name = f"{self._topic}-{self._count}"
            lines = units_json([_portable(unit) for unit in units])
            future = self._client.submit(
                pickle.loads,
                pickle.dumps(Call(name, self._topic, lines, __version__, self.workers)),
                key=name,
                pure=False,
                retries=0,
            )
            self._tasks[name] = _Task(name, units, future)
            future.add_done_callback(lambda _, name=name: self._news.put(_Ended(name)))

    def _told(self, event: tuple[float, dict[str, Any]]) -> None:
        """Handle an event of a worker; called in another thread."""
        self._news.put(event[1])

    def _next(self) -> _Ended | dict[str, Any] | None:
        """The next message. None if ``stop`` was called, or if the cluster and the tasks must be checked."""
        dues = [task.due - monotonic() for task in self._tasks.values() if task.due is not None]
        try:
            return self._news.get(timeout=in_seconds(max(0, min([_CHECK_EVERY, *dues]))))
        except Empty:
            return None

    def _began(self, news: dict[str, Any]) -> Iterator[Event]:
        task = self._tasks.get(news[BEGAN])
        number, worker = news.get("unit"), str(news["worker"])
        if number is None:
            self.reruns += bool(task is None or task.workers)
        if task is None:
            return
        if number is None:
            task.workers.append(worker)
            task.began_at, task.current = now(), None
        else:
            task.current = task.units[number]
        deadline = (task.current or task.units[0]).deadline
        if deadline is not None and not task.asked:
            task.due = monotonic() + deadline
        if number is None:
            for unit in task.units:
                yield Started(unit, worker)

    def _end(self, task: _Task) -> Iterator[Event]:
        """Report how the units of a task ended."""
        try:
            texts = task.future.result(timeout=in_seconds(CONNECT))
        except Exception as error:  # noqa: BLE001 - of the cluster, the network or a library
            why = self._meaning(task, error)
            task.future.release()
            hint = _INSTALL if isinstance(error, ImportError | VersionError) else _AGAIN
            yield from (Finished(result) for result in _failed(task, why, hint))
            return
        task.future.release()
        for unit, text in zip(task.units, texts, strict=True):
            result = replace(parse_result(text), unit=unit, worker=(task.workers or [""])[-1])
            has_waited = len(task.units) > 1 and unit is not task.current and task.timed_out
            if has_waited and result.state is UnitState.INTERRUPTED and not self._stopping:
                self._again.append(unit)
            elif task.timed_out and result.state is UnitState.INTERRUPTED:
                yield Finished(_timed_out(task, unit, "it was asked to stop, and stopped", result))
            else:
                yield Finished(result)

    def _meaning(self, task: _Task, error: Exception) -> str:
        """The message for an error of a task, or of the cluster."""
        is_tasks_own = task.future.status == "error"
        if self._lost is not None:
            return self._lost
        was_cut = isinstance(error, CommClosedError) or self._is_cut()
        if was_cut or (not is_tasks_own and self._count_workers() is None):
            self._lost = f"the connection to the scheduler {self._scheduler} was lost"
            return self._lost
        if isinstance(error, KilledWorker):
            return f"the cluster gave up: {error.allowed_failures + 1} workers died while they had it"
        if isinstance(error, CancelledError):
            return "the cluster cancelled it"
        if isinstance(error, ImportError):
            return f"the worker cannot import what it needs: {sanitize(str(error))}"
        return sanitize(str(error)) or type(error).__name__

    def _check_cluster(self) -> None:
        """Check the connection and the workers; tasks that wait for a worker too long are given up."""
        workers = self._count_workers()
        moment = monotonic()
        if workers:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = moment
        if self._is_cut():
            self._lost = f"the connection to the scheduler {self._scheduler} was lost"
        elif self._alone_since is not None and moment - self._alone_since >= self._alone:
            self._lost = f"the scheduler {self._scheduler} has no workers any more"
        if self._lost is not None:
            for task in self._tasks.values():
                task.future.cancel()
                self._news.put(_Ended(task.name))

    def _count_workers(self) -> int | None:
        """The number of workers; None if the scheduler does not respond."""
        if self._client is None or self._is_cut():
            return None
        try:
            return int(self._client.scheduler_info(n_workers=0)["n_workers"])
        except Exception as error:  # noqa: BLE001 - of the network or of a library
            _log.debug("the scheduler does not answer: %s", error)
            return None

    def _is_cut(self) -> bool:
        return self._client is None or self._client.status != "running"

    def _check(self, task: _Task, limits: EngineLimits) -> Iterator[Event]:
        """Ask an overdue task to stop; give up a task that did not stop when asked."""
        assert task.due is not None  # noqa: S101 - narrows a type
        if task.due > monotonic():
            return
        if not task.asked:
            task.timed_out = True
            self._ask([task], limits)
            return
        del self._tasks[task.name]
        task.future.cancel()
        how = "it was asked to stop and did not; its worker still has it"
        for unit in task.units:
            if task.timed_out and unit is not task.current and len(task.units) > 1:
                self._again.append(unit)
            elif task.timed_out:
                yield Finished(_timed_out(task, unit, how, UnitResult(unit, UnitState.INTERRUPTED, ExitCode.PARTIAL)))
            else:
                yield from (Finished(result) for result in _failed(task, how) if result.unit is unit)

    def _ask(self, tasks: list[_Task], limits: EngineLimits) -> None:
        if not tasks or self._client is None:
            return
        for task in tasks:
            task.asked = True
            task.due = monotonic() + limits.grace
        with suppress(Exception):  # given up at its next due time
            self._client.run(ask_to_stop, [task.name for task in tasks], on_error="ignore")


def _portable(unit: Unit) -> Unit:
    """The unit with absolute paths, which are valid wherever the files are mounted in the same place.

    Raises DiagnosticError if it contains a secret that must come from the environment of the workers.
    """
    if secrets_of(unit.ledger or ""):
        raise DiagnosticError(
            Diagnostic(
                "the URL of the ledger holds a password, which would be sent to the scheduler",
                hint="write ${env.NAME} in its place, or set PGPASSWORD where the workers run",
            )
        )
    return replace(
        unit,
        path=str(Path(unit.path).absolute()),
        var_files=tuple(str(Path(file).absolute()) for file in unit.var_files),
        plan_file=None if unit.plan_file is None else str(Path(unit.plan_file).absolute()),
    )


def _failed(task: _Task, why: str, hint: str = _AGAIN) -> Iterator[UnitResult]:
    """The results of units whose task did not end."""
    for unit in task.units:
        may_have_sent = unit.kind in (UnitKind.APPLY, UnitKind.CHECK)
        after = "; the next apply settles what it had sent" if may_have_sent and task.workers else ""
        yield UnitResult(
            unit,
            UnitState.FAILED,
            ExitCode.PARTIAL if unit.kind is UnitKind.APPLY else ExitCode.ERROR,
            diagnostics=(Diagnostic(f"{why}{after}", hint=hint),),
            worker=(task.workers or [""])[-1],
            started_at=task.began_at,
            ended_at=now(),
        )


def _timed_out(task: _Task, unit: Unit, how: str, result: UnitResult) -> UnitResult:
    longest = format_duration(unit.deadline or 0)
    told = Diagnostic(
        f"it did not end within {longest}: {how}",
        hint="give it more time with --deadline, or find out what it waits for: reconciler plan " + unit.path,
    )
    code = ExitCode.PARTIAL if result.run or not result.ended_at else ExitCode.ERROR
    worker = (task.workers or [""])[-1]
    return replace(
        result, state=UnitState.TIMED_OUT, exit_code=code, diagnostics=(told, *result.diagnostics), worker=worker
    )
