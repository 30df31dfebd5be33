"""``reconciler init``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.inside import reconciler


def test_the_starter_can_be_planned_and_applied_as_it_is(tmp_path: Path) -> None:
    assert reconciler("init", tmp_path / "drill").code == 0
    assert reconciler("validate", tmp_path / "drill").out == "Valid. The stack drill declares 2 alarms.\n"
    assert reconciler("plan", tmp_path / "drill").out.endswith("\nPlan: 2 to create.\n")
    assert reconciler("apply", tmp_path / "drill", "--auto-approve").code == 0


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("stack: mine\n")
    done = reconciler("init", tmp_path)
    assert done.code == 1
    assert "there is a stack already" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize(("directory", "name"), [("My Drill_2", "my-drill-2"), ("订单", "stack"), ("--", "stack")])
def test_the_name_is_made_from_the_directory(tmp_path: Path, directory: str, name: str) -> None:
    assert reconciler("init", tmp_path / directory).code == 0
    assert f"\nstack: {name}\n" in (tmp_path / directory / "stack.yaml").read_text()


def test_a_name_that_no_stack_can_have_is_refused(tmp_path: Path) -> None:
    done = reconciler("init", tmp_path / "new", "--name", "Not This")
    assert done.code == 1
    assert not (tmp_path / "new").exists()
