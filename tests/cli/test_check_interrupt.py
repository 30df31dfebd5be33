"""What ends checks early: Ctrl-C, and the canary is taken back and the report written; a kill, and others clear it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli.command import ExitCode
from reconciler.emulator.settings import Settings
from tests.cli.run_cli import reconciler
from tests.emulator.handle import Emulator

CHECKS = """\
stack: smoke
providers:
  aom: {{endpoint: "{url}", project_id: p, auth: {{token: t}}}}
data: {{aom_alarms: {{firing: {{}}}}}}
checks:
  path: {{canary: {{}}, within: 60s}}
  never: {{data: aom_alarms.firing, expect: {{any: {{event_name: nothing is called this}}}}, within: 60s}}
"""


@pytest.mark.parametrize("emulator", [Settings(visible_after=2000)], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_check_takes_its_canary_back(emulator: Emulator, tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "stack.yaml").write_text(CHECKS.format(url=emulator.url))
    process = subprocess.Popen(  # noqa: S603 - a command of ours
        [sys.executable, "-m", "reconciler", "check", str(tmp_path), "--junit", str(tmp_path / "checks.xml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while not emulator.requests("push"):
        assert process.poll() is None
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "canaries are cleared" in err
    assert out.count("- interrupted") == 2
    assert len(emulator.requests("clear")) == 1
    emulator.advance(10_000)
    assert emulator.active_alarms() == []
    assert 'skipped="2"' in (tmp_path / "checks.xml").read_text()


def test_a_plan_leaves_a_canary_to_its_check_and_clears_it_once_that_is_dead(
    emulator: Emulator, tmp_path: Path
) -> None:
    text = CHECKS.format(url=emulator.url)
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for directory in (here, elsewhere):
        directory.mkdir()
        (directory / "stack.yaml").write_text(text)
    emulator.fault("clear:status=503,retry_after=50")  # so that it stays up
    process = subprocess.Popen(  # noqa: S603 - a command of ours
        [sys.executable, "-m", "reconciler", "check", str(here), "path"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not emulator.requests("clear"):
            assert process.poll() is None
        for directory in (here, elsewhere):
            assert reconciler("plan", directory, "--detailed-exitcode").code == ExitCode.DONE
    finally:
        process.kill()
        process.wait()
    done = reconciler("plan", here, "--detailed-exitcode")
    assert done.code == ExitCode.CHANGES
    assert 'aom_alarm.reconciler_canary["path"] will be cleared' in done.out
    emulator.clear_faults()
    assert reconciler("apply", here, "--auto-approve").code == ExitCode.DONE
    assert emulator.active_alarms() == []
