"""Two applies of one stack at once: one wins, the other says who holds the lease."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.process import reconciler
from tests.cli.stacks import write
from tests.emulator.handle import Emulator

NAMES = [f"a{number}" for number in range(12)]


@pytest.fixture
def stack(emulator: Emulator, tmp_path: Path) -> Path:
    return write(tmp_path / "stack", *NAMES, endpoint=emulator.url)


@contextmanager
def stopped_apply(emulator: Emulator, stack: Path) -> Iterator[subprocess.Popen[str]]:
    """An apply that stands still while it holds the lease and waits for an answer, so not while it holds a lock."""
    emulator.fault("push:delay=2s,nth=1")
    command = [sys.executable, "-m", "reconciler", "apply", str(stack), "--auto-approve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - a command of ours
        try:
            while not emulator.requests("push"):
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGSTOP)
            yield process
        finally:
            process.send_signal(signal.SIGCONT)


def test_of_two_applies_at_once_one_wins_and_the_other_names_it(emulator: Emulator, stack: Path) -> None:
    with stopped_apply(emulator, stack) as first:
        second = reconciler("apply", stack, "--auto-approve")
        assert second.returncode == 5
        assert f"on {socket.gethostname()} (process {first.pid})" in second.stderr
        assert "reconciler ledger unlock" in second.stderr
        assert second.stdout == ""
        first.send_signal(signal.SIGCONT)
        out, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert f"Apply complete: {len(NAMES)} created." in out
    assert len(emulator.active_alarms()) == len(NAMES)
    assert len(emulator.requests("push")) == 1


def test_of_two_applies_started_together_one_does_the_work(emulator: Emulator, stack: Path) -> None:
    command = [sys.executable, "-m", "reconciler", "apply", str(stack), "--auto-approve"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]  # noqa: S603 - a command of ours
    ended = [(*each.communicate(timeout=60), each.returncode) for each in both]
    # One may come when the other is over, and then finds nothing to do.
    assert sorted(code for *_, code in ended) in ([0, 5], [0, 0]), ended
    assert sum("Apply complete" in out for out, _, _ in ended) == 1
    assert len(emulator.active_alarms()) == len(NAMES)
    assert len(emulator.requests("push")) == 1


def test_the_lease_of_a_killed_apply_is_taken_over_at_once(emulator: Emulator, stack: Path) -> None:
    with stopped_apply(emulator, stack) as first:
        first.kill()
        first.communicate()
        assert first.returncode == -signal.SIGKILL
    again = reconciler("apply", stack, "--auto-approve")
    assert again.returncode == 0, again.stderr
    assert len(emulator.active_alarms()) == len(NAMES)
    assert f"An earlier run left {len(NAMES)} operations open:\n" in again.stderr
