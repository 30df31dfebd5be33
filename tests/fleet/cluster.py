"""A Dask cluster of real processes on loopback, some of which die by SIGKILL at a chosen step.

A process with everything imported forks the scheduler, the workers and the clients of a fleet: that takes a tenth of
starting interpreters.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from reconciler.app.unit import Unit, UnitResult, parse_result, parse_units, result_json, units_json
from tests.e2e.crash_harness import Death, Fate, Step, import_commands
from tests.servers.ports import free_port

BETWEEN_STACKS = "between stacks"
"""The step at which a worker has ended one stack and begins another."""
WAIT_S = 60.0


class Cluster:
    """The process that forks; whoever it forked is killed with the block."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self._directory = directory
        self._pids: list[int] = []
        self._mortal: list[int] = []
        self._number = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fleet.cluster"],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for pid in [*self._pids]:
            self.kill(pid)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def start_scheduler(self) -> tuple[str, int]:
        """The address and the process id of a new scheduler that answers."""
        port = free_port()
        ready = self._file("ready")
        pid = self._fork(role="scheduler", port=port, ready=str(ready))
        wait_for(ready.exists)
        return f"tcp://127.0.0.1:{port}", pid

    def start_worker(
        self, scheduler: str, death: Mapping[str, object] | None = None, version: str | None = None
    ) -> int:
        """The process id of a new worker that the scheduler knows, with a version of reconciler; without it if that is
        empty.

        ``death`` has ``step``, ``count``, ``victim`` (a process id, 0 for the worker itself) and ``once``, a file that
        whoever comes there first makes, so that there is one death.
        """
        ready = self._file("ready")
        told = {"death": death, "version": version, "ready": str(ready), "local": str(self._directory)}
        pid = self._fork(role="worker", scheduler=scheduler, **told)
        wait_for(ready.exists)
        return pid

    def start_client(self, scheduler: str, units: Sequence[Unit], after: Path | None = None) -> tuple[int, Path]:
        """A new client that runs units: its process id, and the file that its results will be in when it ends.

        It begins when the file ``after`` is there.
        """
        out = self._file("results")
        go = None if after is None else str(after)
        return self._fork(role="client", scheduler=scheduler, units=units_json(units), out=str(out), after=go), out

    def kill_workers(self) -> None:
        """End all workers and clients."""
        for pid in self._mortal:
            self.kill(pid)
        self._mortal.clear()

    def kill(self, pid: int, sign: signal.Signals = signal.SIGKILL) -> None:
        """End a process that was forked here, and wait until it is gone."""
        if pid in self._pids:
            self._pids.remove(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
            wait_for(lambda: not is_alive(pid))

    def _file(self, name: str) -> Path:
        self._number += 1
        return self._directory / f"{name}-{self._number}"

    def _fork(self, **told: object) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        self._pids.append(pid)
        if told["role"] != "scheduler":
            self._mortal.append(pid)
        return pid


def wait_for(condition: Any) -> None:
    """Return when the condition holds."""
    until = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def read_results(out: Path) -> tuple[list[UnitResult], int]:
    """The results that a client wrote, and how often the cluster began a task again."""
    lines = out.read_text().splitlines()
    return [parse_result(line) for line in lines[1:]], int(lines[0])


class _Doom(Fate):
    """Kills a process when the count-th operation comes to a step, unless another was faster."""

    def __init__(self, step: str, count: int, victim: int, once: str) -> None:
        super().__init__(Death(Step.BEFORE_INTENT, sys.maxsize))
        self._step, self._count, self._victim, self._once = step, count, victim, once
        self._begun = 0

    def reach(self, step: Step, operations: int) -> None:
        super().reach(step, operations)
        if step == self._step and self.steps[step][-1] >= self._count:
            self._strike()

    def begin_stack(self) -> None:
        self._begun += 1
        if self._step == BETWEEN_STACKS and self._begun > self._count:
            self._strike()

    def _strike(self) -> None:
        try:
            os.close(os.open(self._once, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.kill(self._victim or os.getpid(), signal.SIGKILL)


def _schedule(told: Mapping[str, Any]) -> None:
    from distributed import Scheduler

    async def serve() -> None:
        async with Scheduler(host="127.0.0.1", port=told["port"], dashboard=False) as scheduler:
            Path(told["ready"]).touch()
            await scheduler.finished()

    asyncio.run(serve())


def _work(told: Mapping[str, Any]) -> None:
    from distributed import Worker

    from reconciler.fleet import dask_task
    from reconciler.ledger.shared import SharedLedger

    if told["death"]:
        doom = _Doom(**told["death"])
        doom.wrap(SharedLedger, "record_intents", 3, Step.BEFORE_INTENT, Step.AFTER_INTENT)
        doom.wrap(SharedLedger, "begin_attempts", 2, None, Step.AFTER_BEGIN)
        doom.wrap(SharedLedger, "record_outcomes", 1, Step.BEFORE_OUTCOME, Step.AFTER_OUTCOME)
        exchange, run_batch = requests.Session.send, dask_task.run_batch

        def send(session: requests.Session, request: requests.PreparedRequest, **more: Any) -> requests.Response:
            answer = exchange(session, request, **more)
            if request.method == "PUT":
                doom.reach(Step.AFTER_SENDING, 1)
            return answer

        def doomed(*arguments: Any, **more: Any) -> Any:
            doom.begin_stack()
            return run_batch(*arguments, **more)

        requests.Session.send = send
        dask_task.run_batch = doomed

    if told["version"]:
        dask_task.__version__ = told["version"]
    elif told["version"] is not None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "reconciler"]:
            sys.modules[name] = None  # type: ignore[assignment]  # importing it fails

    async def serve() -> None:
        options = {"nthreads": 1, "host": "127.0.0.1", "dashboard": False, "local_directory": told["local"]}
        async with Worker(told["scheduler"], **options) as worker:
            Path(told["ready"]).touch()
            await worker.finished()

    asyncio.run(serve())


def _ask(told: Mapping[str, Any]) -> None:
    from reconciler.fleet.dask import DaskEngine
    from reconciler.fleet.engine import EngineLimits, Finished

    if told["after"]:
        wait_for(Path(told["after"]).exists)
    with DaskEngine(told["scheduler"]) as engine:
        events = list(engine.run(parse_units(told["units"]), EngineLimits(max_parallel=4)))
        results = [result_json(event.result) for event in events if isinstance(event, Finished)]
        reruns = engine.reruns
    written = Path(told["out"]).with_suffix(".part")
    written.write_text("\n".join([str(reruns), *results]))
    written.rename(told["out"])


_ROLES = {"scheduler": _schedule, "worker": _work, "client": _ask}


def _fork_for_each_line() -> None:
    import distributed.nanny

    import reconciler.fleet.dask  # noqa: F401  # what those that are forked import

    assert distributed.nanny
    import_commands()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin:
        told = json.loads(line)
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            logging.disable()
            try:
                _ROLES[told["role"]](told)
            finally:
                os._exit(0)  # the loop is the parent's
        print(child, flush=True)


if __name__ == "__main__":
    _fork_for_each_line()
