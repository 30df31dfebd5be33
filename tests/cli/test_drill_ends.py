"""How a living drill is ended: by Ctrl-C, by a termination signal, by word from another process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.emulator.settings import Settings
from tests.cli.run_cli import reconciler
from tests.drill.harness import RESOURCES, STACK
from tests.emulator.handle import Emulator

STEPS = """\
    steps:
      - {name: one, at: 0s, raise: [aom_alarm.slow, aom_alarm.broken]}
      - {name: last, at: 30m, note: The end}
"""


@pytest.fixture
def emulator(start_emulator: Callable[[Settings], Emulator]) -> Emulator:
    return start_emulator(Settings())


@pytest.fixture
def stack(tmp_path: Path, emulator: Emulator) -> Path:
    (tmp_path / "stack.yaml").write_text(STACK.format(url=emulator.url) + f"  outage:\n{RESOURCES}{STEPS}")
    return tmp_path


@contextmanager
def under_way(stack: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A drill in a process of its own, which has raised its alarms and waits."""
    command = [sys.executable, "-m", "reconciler", "drill", "run", "outage", str(stack), "--yes", *options]
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("RECONCILER_", "GITHUB_"))}
    running = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 - a command of ours
    try:
        assert running.stderr is not None
        for told in running.stderr:
            if "one: raised 2" in told:
                break
        yield running
    finally:
        running.kill()
        running.communicate()


@pytest.mark.parametrize("numbers", [[signal.SIGINT, signal.SIGINT], [signal.SIGTERM], [signal.SIGHUP]])
def test_a_signal_clears_and_ends_with_130(stack: Path, emulator: Emulator, numbers: list[signal.Signals]) -> None:
    with under_way(stack) as running:
        assert len(emulator.active_alarms()) == 2
        for number in numbers:
            running.send_signal(number)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "The drill was interrupted: 2 alarms raised, all cleared" in out
    assert "the drill clears its alarms, then ends" in err
    assert emulator.active_alarms() == []


def test_abort_tells_a_living_run_to_clear_and_end(stack: Path, emulator: Emulator) -> None:
    with under_way(stack) as running:
        aborted = reconciler("drill", "abort", "outage", stack)
        running.communicate(timeout=60)
    assert (aborted.code, running.returncode) == (0, 130)
    assert "asking it to stop" in aborted.err
    assert "The drill was aborted: 2 alarms raised, all cleared" in aborted.out
    assert emulator.active_alarms() == []


def test_another_run_does_not_start_meanwhile(stack: Path) -> None:
    with under_way(stack):
        assert reconciler("drill", "run", "outage", stack, "--yes").code == 5


def test_a_run_whose_process_died_is_never_called_running(stack: Path) -> None:
    with under_way(stack) as running:
        assert "The drill is running" in reconciler("drill", "status", stack).out
        running.kill()
        running.wait()
        status = reconciler("drill", "status", stack).out
        assert "The drill's process died before its end" in status
        assert f"resume it: reconciler drill resume outage {stack}\n" in status
        assert "process died" in reconciler("drill", "list", stack).out
        run = next((stack / ".reconciler" / "drills").glob("*.json")).stem
        assert "process died" in reconciler("drill", "report", run, stack).out
    assert reconciler("drill", "abort", "outage", stack).code == 0
