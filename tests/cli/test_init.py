"""``reconciler init``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.run_cli import reconciler


def test_the_starter_can_be_planned_and_applied_as_it_is(tmp_path: Path) -> None:
    assert reconciler("init", tmp_path / "drill").code == 0
    assert reconciler("validate", tmp_path / "drill").out == "Valid. The stack drill declares 2 alarms.\n"
    assert reconciler("plan", tmp_path / "drill").out.endswith("\nPlan: 2 to create.\n")
    assert reconciler("apply", tmp_path / "drill", "--auto-approve").code == 0


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("stack: mine\n")
    done = reconciler("init", tmp_path)
    assert done.code == 1
    assert "a stack already exists" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize(("directory", "name"), [("My Drill_2", "my-drill-2"), ("订单", "stack"), ("--", "stack")])
def test_the_name_is_made_from_the_directory(tmp_path: Path, directory: str, name: str) -> None:
    assert reconciler("init", tmp_path / directory).code == 0
    assert f"\nstack: {name}\n" in (tmp_path / directory / "stack.yaml").read_text()


def test_a_name_that_no_stack_can_have_is_refused(tmp_path: Path) -> None:
    done = reconciler("init", tmp_path / "new", "--name", "Not This")
    assert done.code == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("starter", "commands"),
    [
        ("quickstart", ["plan DIR"]),
        (
            "gitops",
            [
                "plan DIR --var-file DIR/environments/staging.yaml",
                "apply DIR --auto-approve --var-file DIR/environments/production.yaml",
            ],
        ),
        ("smoke-check", ["check DIR"]),
    ],
)
def test_every_starter_works_as_it_is_and_is_laid_out_well(tmp_path: Path, starter: str, commands: list[str]) -> None:
    stack = tmp_path / "new"
    assert reconciler("init", stack, "--starter", starter).code == 0
    for command in commands:
        done = reconciler(*command.replace("DIR", str(stack)).split(" "))
        assert done.code == 0, done.err
    files = [*stack.glob("*.yaml"), *stack.glob("environments/*.yaml"), *stack.glob("kubernetes/*.yml")]
    assert reconciler("fmt", "--check", *files) == (0, "", "")
    assert "STACK_NAME" not in (stack / "stack.yaml").read_text()


def test_the_gitops_starter_comes_with_its_pipelines_and_keeps_what_is_there(tmp_path: Path) -> None:
    (tmp_path / ".gitlab-ci.yml").write_text("mine: {}\n")
    done = reconciler("init", tmp_path, "--starter", "gitops")
    assert "Kept existing files: .gitlab-ci.yml." in done.err
    assert (tmp_path / ".gitlab-ci.yml").read_text() == "mine: {}\n"
    assert (tmp_path / ".github/workflows/reconciler.yml").is_file()
    assert (tmp_path / ".pre-commit-config.yaml").is_file()


def test_each_environment_of_the_gitops_starter_has_guards_of_its_own(tmp_path: Path) -> None:
    reconciler("init", tmp_path, "--starter", "gitops")
    file = tmp_path / "environments" / "production.yaml"
    done = reconciler("plan", tmp_path, "--var-file", file, "--var", "most_changes=0")
    assert "max_changes" in done.err
    refused = reconciler("plan", tmp_path, "--var-file", file, "--var", "most_changes=201")
    assert refused.code == 1
    assert "more than 200 changes at once are for a person to apply" in refused.err
