"""The example of Alertmanager runs as its README says."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cli.run_cli import reconciler

EXAMPLE = Path(__file__).parents[2] / "examples" / "alertmanager"


def test_the_example_runs_offline_from_plan_to_destroy(tmp_path: Path) -> None:
    stack = shutil.copytree(EXAMPLE, tmp_path / "stack", ignore=shutil.ignore_patterns(".reconciler"))
    assert reconciler("plan", stack).out.endswith("Plan: 4 to create.\n")
    assert reconciler("apply", stack, "--auto-approve").out.endswith("Apply complete: 4 created.\n")
    assert reconciler("plan", stack).out.endswith("No changes. 3 alarms and 1 silence are as declared.\n")
    assert reconciler("destroy", stack, "--auto-approve").out.endswith("Destroy complete: 4 cleared.\n")
    assert reconciler("plan", stack).out.endswith("Plan: 4 to create.\n")
