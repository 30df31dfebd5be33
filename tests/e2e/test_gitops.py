"""The example of alarms in Git: it runs as its README says, and marks a release around its alarms."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.run_cli import Done, reconciler
from tests.e2e.readme import EXAMPLES, alike, played
from tests.emulator.handle import Emulator


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return shutil.copytree(EXAMPLES / "gitops", tmp_path / "gitops", ignore=shutil.ignore_patterns(".reconciler"))


def apply(stack: Path, emulator: Emulator, commit: str) -> Done:
    return reconciler(
        "apply",
        stack,
        "--auto-approve",
        "--var",
        f"endpoint={emulator.url}",
        "--var",
        f"iam_endpoint={emulator.url}",
        "--var",
        f"commit={commit}",
    )


def recorded(emulator: Emulator) -> list[str]:
    return sorted(event["detail"]["content"] for event in emulator.ces_events())


def test_the_readme_shows_what_the_commands_print(tmp_path: Path) -> None:
    for step, output in played("gitops", tmp_path):
        assert alike(output) == alike(step.output), step.command


def test_a_release_is_marked_before_the_first_alarm_changes_and_after_the_last(stack: Path, emulator: Emulator) -> None:
    assert apply(stack, emulator, "c1").code == 0
    asked = [request["operation"] for request in emulator.requests()]
    assert [each for each in asked if each in ("push", "ces-report")] == ["ces-report", "push", "ces-report"]
    assert recorded(emulator) == ["release c1 finished", "release c1 started"]


def test_a_release_is_marked_once_for_each_commit_from_any_machine(stack: Path, emulator: Emulator) -> None:
    for commit in ("c1", "c1", "c2"):
        assert apply(stack, emulator, commit).code == 0
        shutil.rmtree(stack / ".reconciler")
    assert recorded(emulator) == [
        f"release {commit} {what}" for commit in ("c1", "c2") for what in ("finished", "started")
    ]


def test_a_release_whose_alarms_are_not_as_declared_is_not_finished(stack: Path, emulator: Emulator) -> None:
    file = stack / "stack.yaml"
    file.write_text(file.read_text().replace("project_id:", "visible_within: 200ms\n    project_id:"))
    emulator.fault("push:status=400")
    done = apply(stack, emulator, "c1")
    assert done.code == 4
    assert recorded(emulator) == ["release c1 started"]
    assert "not sent: an operation that it depends on is not done" in done.out
    emulator.clear_faults()
    assert apply(stack, emulator, "c1").code == 0
    assert recorded(emulator) == ["release c1 finished", "release c1 started"]
