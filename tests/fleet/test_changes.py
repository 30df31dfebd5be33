"""``--changed-since``: the stacks whose files, includes or var-files changed in Git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.app.unit import UnitKind
from reconciler.core.diagnostic import DiagnosticError
from reconciler.fleet.fleet import FleetRequest, open_fleet
from tests.cli.stacks import write_fleet

ENVIRONMENTS = "environments: {eu: {var_files: [vars/eu.yaml]}, us: {var_files: [vars/us.yaml]}}\n"


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "protocol.file.allow=always"]
    command = ["git", *identity, "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - Git


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with stacks a to e; d includes a file of a directory below it."""
    root = write_fleet(tmp_path / "repository", "https://aom.example.com", *"abcde", file=ENVIRONMENTS)
    (root / "vars").mkdir()
    for name in ("eu", "us"):
        (root / f"vars/{name}.yaml").write_text("region: x\n")
    (root / "stacks/d/more").mkdir()
    (root / "stacks/d/more/extra.yaml").write_text("locals: {x: 1}\n")
    stack = root / "stacks/d/stack.yaml"
    stack.write_text(f"include: more/extra.yaml\n{stack.read_text()}")
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root)
    return root


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Change")


def changed(root: Path, ref: str = "main", *paths: Path) -> list[str]:
    """The stacks that a plan would be about."""
    request = FleetRequest(UnitKind.PLAN, 0, changed_since=ref)
    fleet = open_fleet(list(paths) or [root], request)
    return [Path(unit.path).name + (f"@{unit.environment}" if unit.environment else "") for unit in fleet.due]


def in_both(*names: str) -> list[str]:
    return [f"{name}@{environment}" for environment in ("eu", "us") for name in names]


def test_nothing_changed_is_no_stack(root: Path) -> None:
    assert changed(root) == []


def test_committed_untracked_renamed_and_deleted_files_are_changes(root: Path) -> None:
    git(root, "checkout", "--quiet", "-b", "feature")
    (root / "stacks/a/stack.yaml").write_text("stack: a2\n")
    (root / "stacks/b/other.yaml").write_text("locals: {x: 1}\n")
    commit(root)
    git(root, "mv", "stacks/b/other.yaml", "stacks/c/other.yaml")
    (root / "stacks/e/untracked.yml").write_text("locals: {x: 1}\n")
    assert changed(root) == in_both("a", "c", "e")
    assert changed(root, "HEAD") == in_both("b", "c", "e")
    (root / "stacks/e/untracked.yml").unlink()
    (root / "stacks/b/README.md").write_text("not part of the stack")
    assert changed(root, "HEAD") == in_both("b", "c")


def test_an_included_file_is_a_file_of_its_stack(root: Path) -> None:
    (root / "stacks/d/more/extra.yaml").write_text("locals: {x: 2}\n")
    assert changed(root) == in_both("d")
    (root / "stacks/d/more/extra.yaml").unlink()
    assert changed(root) == in_both("d")


def test_a_link_changes_with_the_file_that_it_leads_to(root: Path) -> None:
    (root / "shared.yaml").write_text("locals: {shared: 1}\n")
    (root / "stacks/a/shared.yaml").symlink_to("../../shared.yaml")
    commit(root)
    (root / "shared.yaml").write_text("locals: {shared: 2}\n")
    assert changed(root) == in_both("a")
    commit(root)
    (root / "vars/us.yaml").unlink()
    (root / "vars/us.yaml").symlink_to("eu.yaml")
    assert changed(root) == [f"{name}@us" for name in "abcde"]


def test_a_var_file_changes_the_stacks_of_its_environment(root: Path) -> None:
    (root / "vars/us.yaml").write_text("region: y\n")
    assert changed(root) == [f"{name}@us" for name in "abcde"]


def test_a_change_of_the_fleet_file_may_change_every_stack(root: Path) -> None:
    (root / "fleet.yaml").write_text(f"stacks: [stacks/*]\nmax_parallel: 3\n{ENVIRONMENTS}")
    assert changed(root) == in_both(*"abcde")


def test_what_changed_on_the_other_branch_meanwhile_is_no_change(root: Path) -> None:
    git(root, "checkout", "--quiet", "-b", "feature")
    (root / "stacks/a/stack.yaml").write_text("stack: a2\n")
    commit(root)
    git(root, "checkout", "--quiet", "main")
    (root / "stacks/b/stack.yaml").write_text("stack: b2\n")
    commit(root)
    git(root, "checkout", "--quiet", "feature")
    assert changed(root) == in_both("a")


def test_at_the_first_push_of_a_branch_every_stack_is_new(root: Path) -> None:
    assert changed(root, "0" * 40) == in_both(*"abcde")


def test_directories_of_stacks_need_no_fleet_file(root: Path) -> None:
    (root / "stacks/c/stack.yaml").write_text("stack: c2\n")
    assert changed(root, "main", root / "stacks") == ["c"]


def test_a_commit_that_is_not_there_is_told_and_what_to_do_in_a_shallow_clone(root: Path, tmp_path: Path) -> None:
    first = git(root, "rev-parse", "HEAD")
    (root / "stacks/c/stack.yaml").write_text("stack: c2\n")
    commit(root)
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", root.as_uri(), str(shallow))
    with pytest.raises(DiagnosticError, match="there is no such commit in this clone, which is shallow") as told:
        changed(shallow, first)
    assert "git fetch --depth" in (told.value.diagnostics[0].hint or "")
    with pytest.raises(DiagnosticError) as told:
        changed(shallow, "HEAD~1")
    assert "git fetch --unshallow" in (told.value.diagnostics[0].hint or "")
    with pytest.raises(DiagnosticError, match=r"--changed-since nowhere: there is no such commit in this clone$"):
        changed(root, "nowhere")


def test_a_directory_outside_of_git_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    write_fleet(tmp_path, "https://aom.example.com", "a")
    with pytest.raises(DiagnosticError, match="--changed-since needs a Git repository: not a git repository"):
        changed(tmp_path)
