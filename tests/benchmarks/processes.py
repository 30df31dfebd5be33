"""Processes: servers the benchmarks talk to, each apart from what is measured."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.emulator.handle import Emulator


@contextmanager
def running(command: Sequence[str | Path]) -> Iterator[str]:
    """Run a server while the block lasts, and give the first line it prints: its address. It ends with an interrupt."""
    process = subprocess.Popen(  # noqa: S603 - a command of ours
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=_hear_interrupts,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError(f"{command[0]} did not start: it ended with {process.wait()}")
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def _hear_interrupts() -> None:
    """A shell that starts us in the background has interrupts ignored, by our children too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def emulator() -> Iterator[Emulator]:
    """The emulator, everything in memory."""
    with running([sys.executable, "-m", "reconciler", "emulator", "--port", "0"]) as url:
        yield Emulator(url)


@contextmanager
def profiled_emulator(profile: Path) -> Iterator[Emulator]:
    """The same under a profiler, which has written its file when the block is left."""
    with running([sys.executable, "-m", "tests.benchmarks.profiled_emulator", profile]) as url:
        yield Emulator(url)
