"""The hooks, run by pre-commit itself in a repository of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.stacks import write

ROOT = Path(__file__).parents[2]


def git(directory: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *arguments], cwd=directory, check=True, capture_output=True, timeout=60)  # noqa: S603, S607 - a command of ours, found as its user finds it


@pytest.fixture
def hooks(tmp_path: Path) -> Path:
    """A repository with our hooks, run by the command that is installed: nothing is fetched."""
    made = tmp_path / "hooks"
    made.mkdir()
    text = (ROOT / ".pre-commit-hooks.yaml").read_text()
    assert "language: python\n" in text
    (made / ".pre-commit-hooks.yaml").write_text(text.replace("language: python\n", "language: system\n"))
    git(made, "init")
    git(made, "add", ".")
    git(made, "commit", "-m", "hooks")
    return made


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    made = write(tmp_path / "stack", "one")
    git(made, "init")
    return made


def tried(hooks: Path, stack: Path, tmp_path: Path, hook: str) -> subprocess.CompletedProcess[str]:
    git(stack, "add", ".")
    bin_ = Path(sys.executable).parent
    env = os.environ | {"PRE_COMMIT_HOME": str(tmp_path / "home"), "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"}
    command = [str(bin_ / "pre-commit"), "try-repo", str(hooks), hook, "--all-files", "--color", "never"]
    return subprocess.run(command, cwd=stack, env=env, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - a command of ours


def test_a_commit_is_laid_out(hooks: Path, stack: Path, tmp_path: Path) -> None:
    file = stack / "stack.yaml"
    smooth = file.read_text()
    file.write_text(smooth.replace("stack: tests", "stack:    tests"))
    done = tried(hooks, stack, tmp_path, "reconciler-fmt")
    assert done.returncode == 1
    assert "files were modified by this hook" in done.stdout
    assert "stack: tests\n" in file.read_text()
    assert tried(hooks, stack, tmp_path, "reconciler-fmt").returncode == 0


def test_a_commit_that_would_break_the_stack_is_refused(hooks: Path, stack: Path, tmp_path: Path) -> None:
    assert tried(hooks, stack, tmp_path, "reconciler-validate").returncode == 0
    write(stack, "one", severity="Fatal")
    done = tried(hooks, stack, tmp_path, "reconciler-validate")
    assert done.returncode == 1
    assert "stack.yaml:6:" in done.stdout
