"""What Ctrl-C and a termination signal do to an apply (rule 13)."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cli.signals import SAME_KEY_PRESS
from reconciler.emulator.fault import parse_fault
from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.cli.process import reconciler
from tests.cli.stacks import write

COUNT = 30


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Path]:
    """Many alarms, each sent by itself, to a service that takes its time with the second."""
    with running(Settings(faults=(parse_fault("push:delay=4s,nth=2"),))) as url:
        stack = write(tmp_path, *(f"a{number}" for number in range(COUNT)), endpoint=url)
        file = stack / "stack.yaml"
        settings = "batch_size: 1, parallelism: 1, visible_within: 2s"
        file.write_text(file.read_text().replace("project_id:", f"{settings}, project_id:"))
        yield stack


def interrupted(
    stack: Path, *signals: signal.Signals, pause: int = SAME_KEY_PRESS + 100
) -> subprocess.CompletedProcess[str]:
    """Start an apply, and send it signals once the first operation has ended."""
    command = [sys.executable, "-m", "reconciler", "apply", str(stack), "--auto-approve", "--log-level", "info"]
    process = subprocess.Popen(  # noqa: S603 - a command of ours
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    told = ""
    for record in process.stderr:
        told += record
        if "operations ended" in record:
            break
    for count, number in enumerate(signals):
        if count:
            time.sleep(pause / 1000)
        process.send_signal(number)
        for record in process.stderr if number is not signals[-1] else ():
            told += record
            if "Interrupted" in record:
                break
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(command, process.returncode, out, told + err)


def test_a_key_press_that_arrives_twice_is_one(stack: Path) -> None:
    done = interrupted(stack, signal.SIGINT, signal.SIGTERM, pause=0)
    assert done.returncode == 130
    assert "Applied in part: " in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_apply_ends_what_is_under_way_and_is_continued_by_the_next(
    stack: Path, number: signal.Signals
) -> None:
    done = interrupted(stack, number)
    assert done.returncode == 130
    assert "Interrupted: requests in flight finish" in done.stderr
    assert "Applied in part: " in done.stdout
    assert "not started" in done.stdout
    assert f"To continue: reconciler apply {stack} --auto-approve" in done.stdout
    again = reconciler("apply", stack, "--auto-approve")
    assert again.returncode == 0
    assert f"{COUNT} alarms are as declared." in reconciler("plan", stack).stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_exits_at_once_and_nothing_is_lost(stack: Path, number: signal.Signals) -> None:
    done = interrupted(stack, number, number)
    assert done.returncode == 130
    assert "Apply" not in done.stdout
    assert reconciler("apply", stack, "--auto-approve").returncode == 0
    assert f"{COUNT} alarms are as declared." in reconciler("plan", stack).stdout
