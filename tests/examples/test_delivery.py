"""The example of a delivered page, run as its README says."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cli.run_cli import reconciler

EXAMPLE = Path(__file__).parents[2] / "examples" / "delivery"


def test_the_example_proves_a_page_offline(tmp_path: Path) -> None:
    stack = shutil.copy(EXAMPLE / "stack.yaml", tmp_path)
    checked = reconciler("check", stack, "--listen", "127.0.0.1:0")
    assert checked.code == 0, checked
    assert "notification of its end arrived at embedded after" in checked.out
    rehearsed = reconciler("drill", "run", "outage", stack, "--rehearse", "--speed", "40")
    assert rehearsed.code == 0, rehearsed
    assert "page_is_delivered passed" in rehearsed.out
    assert "all cleared, 1 check passed" in rehearsed.out
    assert "not confirmed" not in rehearsed.out
