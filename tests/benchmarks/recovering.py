"""Recovering: how long an apply takes after one that was killed, or that a service refused a part of."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from time import perf_counter

from tests.benchmarks.alternatives import ours_at_hand
from tests.benchmarks.launch import launch
from tests.benchmarks.processes import emulator
from tests.benchmarks.row import Row, compared
from tests.benchmarks.stacks import for_each
from tests.emulator.handle import Emulator

NAME = "recovering"

_BATCH = 10


def run(quick: bool) -> list[Row]:
    """Compare; ``quick`` takes a tenth of the operations and one round."""
    operations, alarms, rounds = (50, 20, 1) if quick else (500, 50, 5)
    rows = []
    for work, against, target, sides in (
        (
            f"apply after SIGKILL in the middle of {operations} operations",
            "an undisturbed apply",
            1.5,
            (lambda: _after_kill(operations), lambda: _undisturbed(operations)),
        ),
        (
            f"apply of {alarms} alarms, one of them refused",
            "the same without it",
            3.0,
            (lambda: _with_refused(alarms, 1), lambda: _with_refused(alarms, 0)),
        ),
    ):
        mine, other = zip(*((sides[0](), sides[1]()) for _ in range(rounds)), strict=True)
        rows.append(compared(work, against, mine, other, target, note="the service shows writes at once"))
    return rows


def _stack(directory: str, service: Emulator, count: int, batch: int = _BATCH) -> Path:
    home = Path(directory)
    head = b"project_id: demo, batch_size: %d, visible_within: 60s," % batch
    (home / "stack.yaml").write_bytes(for_each(count, service.url).replace(b"project_id: demo,", head))
    return home


def _apply(home: Path) -> float:
    return launch([ours_at_hand(), "apply", "--auto-approve"], home).seconds


def _undisturbed(count: int) -> float:
    with emulator() as service, tempfile.TemporaryDirectory() as directory:
        return _apply(_stack(directory, service, count))


def _after_kill(count: int) -> float:
    with emulator() as service, tempfile.TemporaryDirectory() as directory:
        home = _stack(directory, service, count)
        service.fault("push:delay=50ms")
        command = [str(ours_at_hand()), "apply", "--auto-approve"]
        with subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - a command of ours
            while len(service.requests("push")) < count // _BATCH // 2:
                if process.poll() is not None:
                    raise RuntimeError("the apply ended before it was killed")
                time.sleep(0.005)
            process.kill()
        service.clear_faults()
        taken = _apply(home)
        firing = len(service.active_alarms())
        if firing != count:
            raise RuntimeError(f"{firing} alarms fire, not {count}")
        return taken


_MARRING = """
import sys
from reconciler.providers.aom.provider import AomProvider
send, refused = AomProvider.send, int(sys.argv.pop(1))
def marring(self, operations):
    return send(self, [
        each._replace(payload=each.payload.replace("resource_type", "resource_tipe"))
        if int(each.address.key) < refused else each
        for each in operations
    ])
AomProvider.send = marring
from reconciler.cli import main
main()
"""
"""The command, with a wire that damages the first alarms, so that the service refuses what it was sent."""


def _with_refused(count: int, refused: int) -> float:
    """Seconds of an apply of so many alarms, of which the service refuses some, first with their whole batch."""
    with emulator() as service, tempfile.TemporaryDirectory() as directory:
        home = _stack(directory, service, count, count)
        command = [sys.executable, "-c", _MARRING, str(refused), "apply", "--auto-approve"]
        begun = perf_counter()
        ended = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)  # noqa: S603 - a command of ours
        taken = perf_counter() - begun
        firing = len(service.active_alarms())
        if firing != count - refused:
            raise RuntimeError(f"{firing} alarms fire, not {count - refused}: {ended.stderr[-2000:]}")
        return taken
