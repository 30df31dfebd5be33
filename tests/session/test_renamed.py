"""Renamed stacks: the alarms that an earlier name of a stack left are reported once."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.core.operation import Outcome, Status
from reconciler.ledger.sqlite import open_ledger
from reconciler.session.renamed import renamed_warnings
from tests.ledger.samples import NOW, begun, operation


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with the ledger of the stack ``old``, whose alarm may fire, and an empty one of ``new``."""
    (tmp_path / ".reconciler").mkdir()
    push = operation("P1", payload='{"events":[{"timeout":600000}]}')
    with begun(tmp_path / ".reconciler" / "old.db") as (ledger, holder):
        ledger.record_intents(holder, "run-1", [push], NOW)
        ledger.begin_attempts(holder, ["P1"], NOW)
        ledger.record_outcomes([Outcome("P1", Status.DONE)], NOW)
    open_ledger(tmp_path / ".reconciler" / "new.db").close()
    return tmp_path


def warnings(root: Path) -> list[str]:
    return [warning.summary for warning in renamed_warnings(root / ".reconciler" / "new.db", root, NOW)]


def test_alarms_of_a_stack_that_no_file_names_are_reported(state: Path) -> None:
    (state / "stack.yaml").write_text("stack: new\n")
    [warning] = warnings(state)
    assert "old" in warning


@pytest.mark.parametrize("name", ["old", "o${var.x}", '"old"'])
def test_a_stack_that_a_file_still_names_is_no_renamed_one(state: Path, name: str) -> None:
    (state / "stack.yaml").write_text("stack: new\n")
    (state / "other.yml").write_text(f"stack: {name}\n")
    assert warnings(state) == []


def test_a_file_that_is_no_ledger_is_skipped(state: Path) -> None:
    (state / "stack.yaml").write_text("stack: old\n")
    (state / ".reconciler" / "notes.db").write_text("not a ledger")
    assert warnings(state) == []
