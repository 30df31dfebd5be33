"""Faults a user can rehearse with, as docs/emulator.md writes them: whatever is played, one apply gets there."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.emulator.fault import parse_fault
from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.cli.run_cli import reconciler
from tests.e2e.test_two_services import declare
from tests.emulator.handle import Emulator

DOCUMENT = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")
COUNT = 20


@pytest.mark.parametrize("mode", ["merge", "duplicate"])
@pytest.mark.parametrize(
    "fault",
    [
        "push:store-then-cut,nth=1",
        "push:store-then-500",
        "push|clear:store-then-cut,rate=0.1,seed=7",
        "push:cut,every=5",
    ],
)
def test_a_documented_fault_is_survived(tmp_path: Path, fault: str, mode: str) -> None:
    assert fault.replace("|", "\\|") in DOCUMENT
    with running(Settings(faults=(parse_fault(fault),), on_repeat=mode)) as url:
        stack, emulator = declare(tmp_path / "stack", url, COUNT), Emulator(url)
        file = stack / "stack.yaml"
        file.write_text(file.read_text().replace("project_id:", "batch_size: 2, project_id:"))
        done = reconciler("apply", stack, "--auto-approve")
        assert done.code == 0, done.out
        assert all(fault["met"] for fault in emulator.faults())
        assert len(emulator.active_alarms()) == len(emulator.ces_events()) == COUNT
        assert reconciler("plan", stack, "--detailed-exitcode").code == 0


def test_the_rehearsal_tells_that_it_looks_what_was_stored(tmp_path: Path) -> None:
    with running(Settings(faults=(parse_fault("push:store-then-cut,nth=1"),))) as url:
        stack = declare(tmp_path / "stack", url, 2)
        done = reconciler("apply", stack, "--auto-approve", "--log-level", "info")
        assert done.code == 0
        assert "querying what was stored" in done.err
        assert [(fault["seen"], fault["met"]) for fault in Emulator(url).faults()] == [(1, 1)]
        assert len(Emulator(url).requests("push")) == 1
