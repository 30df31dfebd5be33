"""The live display of a fleet on a terminal: who works on what, how many have ended, and failures that stay."""

from __future__ import annotations

import io
import re

import pytest

from reconciler.app.unit import Unit, UnitKind, UnitResult, UnitState
from reconciler.cli.fleet_progress import watching
from reconciler.cli.terminal import Terminal
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.exit_code import ExitCode


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [80, 120])
def test_the_display_shows_who_works_on_what_and_fits_the_screen(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "40")
    screen = Screen()
    units = [Unit(UnitKind.PLAN, f"stacks/{number:02}-{'long-' * 10}name") for number in range(20)]
    with watching(Terminal(io.StringIO(), io.StringIO(), screen, {"NO_COLOR": "1"}), len(units)) as watcher:
        for number, unit in enumerate(units[:15]):
            watcher.started(unit, f"process {number}")
        told = (Diagnostic("the stack is broken"),)
        watcher.finished(UnitResult(units[0], UnitState.FAILED, ExitCode.ERROR, diagnostics=told))
        watcher.finished(UnitResult(units[1], UnitState.DONE, ExitCode.DONE))
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    assert "[1/20] stacks/00-" in shown
    assert "the stack is broken" in shown
    last = shown.rpartition("2 of 20 stacks 1 failed")[2]
    assert "process 13" in last
    assert "process 14" not in last
    assert "and 1 more" in last
    assert all(len(text.rstrip()) <= columns for text in last.splitlines())
