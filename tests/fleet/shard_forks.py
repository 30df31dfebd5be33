"""Runs fleets with a large stack in processes that die by SIGKILL: the client, or one of the workers of its engine.

A process with everything imported forks a client for each fleet, which forks a worker for each unit. Whoever dies takes
a token first, so that one death is died.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from reconciler.app.run_unit import run_unit
from reconciler.app.unit import Unit, UnitResult, UnitState, parse_result, result_json
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.exit_code import ExitCode
from reconciler.fleet.engine import EngineLimits, Event, Finished, Started


class Step(StrEnum):
    """A place where a process dies; the client also dies by the hand of a worker."""

    LEASED = "before anything is begun"
    BEGUN = "begun"
    SENT = "sent"
    ANSWERED = "answered"
    CLIENT_CUT = "client: the second shard is cut"
    CLIENT_AT_SENT = "client: when a worker has sent"
    CLIENT_DONE = "client: before the shards are absorbed"
    CLIENT_ABSORBED = "client: after the shards were absorbed"


class Forks:
    """The process that forks."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - a command of ours
            [sys.executable, "-m", __name__],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def apply(self, root: Path, death: Step | None = None, *, times: int = 1) -> tuple[Any, bool]:
        """Apply a fleet, each unit so many ``times``; the result of its stack, None if the client died, and whether
        somebody did. Every worker has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(root), death, times]) + "\n")
        self._process.stdin.flush()
        found, died = json.loads(self._process.stdout.readline())
        return found, died

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def forks() -> Iterator[Forks]:
    made = Forks()
    try:
        yield made
    finally:
        made.close()


class ForkEngine:
    """Forks a worker for each unit, two at once, and for each as often as asked."""

    workers = 2

    def __init__(self, times: int) -> None:
        self._times = times

    def run(self, units: Iterable[Unit], limits: EngineLimits) -> Iterator[Event]:
        source, running = iter(units), dict[int, tuple[Unit, Path]]()
        while True:
            while len(running) < self.workers and (unit := next(source, None)) is not None:
                file = Path(tempfile.mkstemp()[1])
                child = os.fork()
                if child == 0:
                    _work(unit, file, self._times)
                running[child] = unit, file
                yield Started(unit, f"process {child}")
            if not running:
                return
            ended, _ = os.wait()
            unit, file = running.pop(ended)
            text = file.read_text()
            file.unlink()
            died = UnitResult(unit, UnitState.FAILED, ExitCode.PARTIAL, diagnostics=(Diagnostic("it died"),))
            yield Finished(parse_result(text) if text else died)

    def stop(self) -> None: ...


def _work(unit: Unit, file: Path, times: int) -> None:
    """Be a worker for one unit; it never returns."""
    try:
        for _ in range(times):
            result = run_unit(unit)
        file.write_text(result_json(result))
    finally:
        os._exit(0)


class Token(NamedTuple):
    """What whoever dies takes; ``step`` is where."""

    file: Path
    step: Step | None

    def die(self, step: Step, process: Callable[[], int] = os.getpid) -> None:
        if step is self.step:
            try:
                self.file.unlink()
            except FileNotFoundError:
                return
            os.kill(process(), signal.SIGKILL)

    def around(self, owner: type, name: str, before: Step | None, after: Callable[[], None] = lambda: None) -> None:
        """Let a process die before a method is called, or after."""
        method: Callable[..., Any] = getattr(owner, name)

        def wrapped(*arguments: Any, **more: Any) -> Any:
            if before is not None:
                self.die(before)
            answer = method(*arguments, **more)
            after()
            return answer

        setattr(owner, name, wrapped)


def _live(root: Path, token: Token, times: int, out: int) -> None:
    """Be the client; only a fork does this."""
    from reconciler.app.unit import UnitKind
    from reconciler.fleet.fleet import FleetRequest, open_fleet
    from reconciler.fleet.run import FleetRun
    from reconciler.ledger.postgres_shards import PostgresShards
    from reconciler.ledger.shared import SharedLedger
    from reconciler.providers.aom.provider import AomProvider

    client, cuts = os.getpid(), iter([False, True])

    def in_worker(step: Step) -> Callable[[], None]:
        return lambda: None if os.getpid() == client else token.die(step)

    def sent() -> None:
        in_worker(Step.SENT)()
        token.die(Step.CLIENT_AT_SENT, lambda: client)

    token.around(SharedLedger, "journal", None, in_worker(Step.LEASED))
    token.around(SharedLedger, "begin_attempts", None, in_worker(Step.BEGUN))
    token.around(SharedLedger, "record_outcomes", None, in_worker(Step.ANSWERED))
    token.around(AomProvider, "send", None, sent)
    token.around(PostgresShards, "cut", None, lambda: token.die(Step.CLIENT_CUT) if next(cuts, False) else None)
    token.around(PostgresShards, "absorb", Step.CLIENT_DONE, lambda: token.die(Step.CLIENT_ABSORBED))

    class NullProgress:
        def started(self, unit: Unit, worker: str) -> None: ...

        def finished(self, result: UnitResult) -> None: ...

    fleet = open_fleet([root], FleetRequest(UnitKind.APPLY, 0))
    report = FleetRun(fleet, ForkEngine(times), EngineLimits(), NullProgress()).report()
    (result,) = report.results
    os.write(out, result_json(result).encode())


def _fork_for_each_line() -> None:
    from tests.e2e.crash_harness import import_commands

    import_commands()
    import reconciler.app.shard
    import reconciler.fleet.fleet
    import reconciler.fleet.run
    import reconciler.ledger.postgres_shards  # noqa: F401  # what a client imports when it runs

    gc.freeze()
    for line in sys.stdin:
        root, death, times = json.loads(line)
        file = Path(tempfile.mkstemp()[1])
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(reading)
                _live(Path(root), Token(file, None if death is None else Step(death)), times, writing)
            finally:
                os._exit(99)  # the loop is the parent's
        os.close(writing)
        with os.fdopen(reading, "rb") as results:
            text = results.read()  # until the client and all its workers have ended
        os.waitpid(child, 0)
        died = not file.exists()
        file.unlink(missing_ok=True)
        print(f"[{text.decode() or 'null'}, {json.dumps(died)}]", flush=True)


if __name__ == "__main__":
    _fork_for_each_line()
