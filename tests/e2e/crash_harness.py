"""Runs whole commands in processes that die by SIGKILL at a chosen step.

A process with everything imported forks a child for each command: that takes a tenth of starting an interpreter. The
product knows nothing of it; the child wraps methods of the ledger and the provider before it runs the command.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, NamedTuple, Self


class Step(StrEnum):
    """A place in a run; a step is as far on as operations have come to this place."""

    BEFORE_INTENT = "before the intent"
    AFTER_INTENT = "after the intent"
    AFTER_BEGIN = "after it was begun"
    AFTER_SENDING = "after sending"
    BEFORE_OUTCOME = "before the outcome"
    AFTER_OUTCOME = "after the outcome"
    BEFORE_CONFIRMING = "before confirming"


class Death(NamedTuple):
    """Die when the ``count``-th operation comes to this step."""

    step: Step
    count: int


class Ended(NamedTuple):
    """How a command ended; ``signal`` is what killed it. ``steps`` has, for each step, how many operations had come to
    it after each call that brought some; empty for who was killed.
    """

    code: int
    signal: int
    out: str
    err: str
    steps: Mapping[Step, list[int]]


class CrashHarness:
    """The process that forks."""

    def __init__(self, directory: Path) -> None:
        self._files = {name: directory / f"child.{name}" for name in ("out", "err", "steps")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.crash_harness"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def run(self, *arguments: str | Path, death: Death | None = None) -> Ended:
        """Run ``reconciler ARGUMENTS`` until it ends, or dies."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for file in self._files.values():
            file.unlink(missing_ok=True)
        told = {"arguments": [*map(str, arguments)], "death": death, **{n: str(f) for n, f in self._files.items()}}
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        out, err = self._files["out"].read_text(), self._files["err"].read_text()
        steps = json.loads(self._files["steps"].read_text()) if self._files["steps"].exists() else {}
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -killed
        return Ended(code, killed, out, err, {Step(name): counts for name, counts in steps.items()})


@contextmanager
def harness(directory: Path) -> Iterator[CrashHarness]:
    """A process that forks, for as long as the block lasts."""
    with CrashHarness(directory) as made:
        yield made


class Fate:
    """Counts the operations that come to each step, and ends the process where it is due."""

    def __init__(self, death: Death | None) -> None:
        self._death = death
        self._lock = Lock()
        self.steps: dict[Step, list[int]] = {}

    def reach(self, step: Step, operations: int) -> None:
        with self._lock:
            counts = self.steps.setdefault(step, [])
            counts.append((counts[-1] if counts else 0) + operations)
            if self._death is not None and self._death.step == step and counts[-1] >= self._death.count:
                os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, owner: type, name: str, which: int, before: Step | None, after: Step | None) -> None:
        """Tell of each call of a method before and after it; its argument ``which`` holds the operations."""
        method: Callable[..., Any] = getattr(owner, name)

        def wrapped(*arguments: Any, **more: Any) -> Any:
            arguments = (*arguments[:which], list(arguments[which]), *arguments[which + 1 :])
            if before is not None:
                self.reach(before, len(arguments[which]))
            answer = method(*arguments, **more)
            if after is not None:
                self.reach(after, len(arguments[which]))
            return answer

        setattr(owner, name, wrapped)


def _live(told: Mapping[str, Any]) -> None:
    """Be the command; only a child does this."""
    from reconciler.cli.app import run
    from reconciler.ledger.shared import SharedLedger
    from reconciler.ledger.sqlite import SqliteLedger
    from reconciler.providers.alertmanager.provider import AlertmanagerProvider
    from reconciler.providers.aom.provider import AomProvider
    from reconciler.providers.ces.provider import CesProvider

    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(told[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    fate = Fate(Death(*told["death"]) if told["death"] else None)
    for ledger in (SqliteLedger, SharedLedger):
        fate.wrap(ledger, "record_intents", 3, Step.BEFORE_INTENT, Step.AFTER_INTENT)
        fate.wrap(ledger, "begin_attempts", 2, None, Step.AFTER_BEGIN)
        fate.wrap(ledger, "record_outcomes", 1, Step.BEFORE_OUTCOME, Step.AFTER_OUTCOME)
        fate.wrap(ledger, "confirm", 1, Step.BEFORE_CONFIRMING, None)
    for provider in (AlertmanagerProvider, AomProvider, CesProvider):
        fate.wrap(provider, "send", 1, None, Step.AFTER_SENDING)
    code = run(told["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    Path(told["steps"]).write_text(json.dumps(fate.steps))
    os._exit(code)


def import_commands() -> None:
    """Load what commands import when they run, for forks of this process."""
    import reconciler.app.apply
    import reconciler.cli.apply
    import reconciler.cli.ledger
    import reconciler.emulator.server
    import reconciler.ledger.objects.store
    import reconciler.ledger.postgres
    import reconciler.ledger.shared
    import reconciler.providers.alertmanager.cluster
    import reconciler.providers.alertmanager.provider
    import reconciler.providers.aom.provider
    import reconciler.providers.ces.provider  # noqa: F401  # what a command imports when it runs


def _fork_for_each_line() -> None:
    import gc

    import_commands()
    gc.freeze()
    for line in sys.stdin:
        told = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                _live(told)
            finally:
                os._exit(99)  # the loop is the parent's
        _, status = os.waitpid(child, 0)
        print(status, flush=True)


if __name__ == "__main__":
    _fork_for_each_line()
