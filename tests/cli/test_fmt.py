"""``reconciler fmt``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.run_cli import reconciler

ROUGH = "stack:   shop # ours\nresources:\n    aom_alarm: {}\n"
SMOOTH = "stack: shop # ours\nresources:\n  aom_alarm: {}\n"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    (tmp_path / "stack.yaml").write_text(ROUGH)
    (tmp_path / "well.yaml").write_text("locals: {a: 1}\n")
    return tmp_path


def test_files_are_laid_out_and_those_that_changed_are_named(stack: Path) -> None:
    (stack / "stack.yaml").chmod(0o640)
    assert reconciler("fmt", stack) == (0, f"{stack / 'stack.yaml'}\n", "")
    assert (stack / "stack.yaml").read_text() == SMOOTH
    assert (stack / "stack.yaml").stat().st_mode & 0o777 == 0o640
    assert reconciler("fmt", stack) == (0, "", "")


def test_check_writes_nothing_and_says_so_by_its_exit_code(stack: Path) -> None:
    assert reconciler("fmt", stack, "--check") == (3, f"{stack / 'stack.yaml'}\n", "")
    assert (stack / "stack.yaml").read_text() == ROUGH
    assert reconciler("fmt", stack / "well.yaml", "--check") == (0, "", "")


def test_diff_shows_what_would_change_and_writes_nothing(stack: Path) -> None:
    done = reconciler("fmt", stack, "--diff")
    assert done.code == 0
    assert "\n-stack:   shop # ours\n" in done.out
    assert "\n+stack: shop # ours\n" in done.out
    assert (stack / "stack.yaml").read_text() == ROUGH


def test_standard_input_is_laid_out_to_standard_output() -> None:
    assert reconciler("fmt", "-", answers=ROUGH) == (0, SMOOTH, "")
    assert reconciler("fmt", "-", "--check", answers=ROUGH).code == 3


def test_a_file_that_can_not_be_read_is_left_and_the_others_are_laid_out(stack: Path) -> None:
    (stack / "bad.yaml").write_text("guards: [\n")
    done = reconciler("fmt", stack)
    assert done.code == 1
    assert "bad.yaml" in done.err
    assert (stack / "bad.yaml").read_text() == "guards: [\n"
    assert (stack / "stack.yaml").read_text() == SMOOTH


def test_the_starter_and_the_examples_are_laid_out_well(tmp_path: Path) -> None:
    reconciler("init", tmp_path)
    assert reconciler("fmt", tmp_path, "examples/quickstart", "--check") == (0, "", "")
