"""A provider that points elsewhere, or a stack with another name, while alarms pushed before still fire."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run_cli import reconciler
from tests.cli.stacks import TOKEN, write
from tests.emulator.handle import Emulator


def words(text: str) -> str:
    return " ".join(text.split())


def edit(directory: Path, old: str, new: str) -> None:
    file = directory / "stack.yaml"
    file.write_text(file.read_text().replace(old, new))


def applied(directory: Path) -> Path:
    assert reconciler("apply", directory, "--auto-approve").code == 0
    return directory


@pytest.fixture
def stack(tmp_path: Path, emulator: Emulator) -> Path:
    """Seven alarms, applied at project p1."""
    return applied(write(tmp_path, *(f"a{number}" for number in range(7)), endpoint=emulator.url))


def warnings(directory: Path, command: str = "plan", *options: str) -> list[str]:
    document = json.loads(reconciler(command, directory, "--format", "json", *options).out)
    return [item["summary"] for item in document.get("plan", document)["warnings"]]


def test_a_plan_names_alarms_left_in_the_project_a_provider_pointed_to(stack: Path, emulator: Emulator) -> None:
    edit(stack, "project_id: p1", "project_id: p2")
    told = words(reconciler("plan", stack).out)
    assert (
        f"provider aom pointed to aom {emulator.url}, project p1 before, and 7 alarms pushed there may still fire: "
        "aom_alarm.a0, aom_alarm.a1, aom_alarm.a2, aom_alarm.a3, aom_alarm.a4 and 2 more" in told
    )
    assert "put the old settings of providers.aom back, run `reconciler destroy`" in told
    assert TOKEN not in told


@pytest.mark.parametrize("command", ["apply", "destroy"])
def test_apply_and_destroy_warn_of_the_old_project(stack: Path, command: str) -> None:
    edit(stack, "project_id: p1", "project_id: p2")
    for _ in range(2):  # again after the new project has its alarms
        [summary] = warnings(stack, command, "--auto-approve")
        assert "project p1 before, and 7 alarms pushed there" in summary


def test_following_the_hint_clears_the_old_project(stack: Path, emulator: Emulator) -> None:
    edit(stack, "project_id: p1", "project_id: p2")
    applied(stack)
    edit(stack, "project_id: p2", "project_id: p1")
    assert "project p2 before" in warnings(stack)[0]
    assert reconciler("destroy", stack, "--auto-approve").code == 0
    edit(stack, "project_id: p1", "project_id: p2")
    assert warnings(stack) == []
    assert {alarm["project_id"] for alarm in emulator.active_alarms()} == {"p2"}


def test_another_endpoint_of_the_same_service_leaves_nothing_behind(stack: Path, emulator: Emulator) -> None:
    edit(stack, emulator.url, emulator.url + "/")
    assert warnings(stack) == []


def test_a_plan_names_alarms_of_the_stack_under_its_old_name(stack: Path, emulator: Emulator) -> None:
    edit(stack, "stack: tests", "stack: renamed")
    told = words(reconciler("plan", stack).out)
    assert (
        'no configuration here has the name of stack "tests" any more, and 7 alarms that it pushed to '
        f"aom {emulator.url}, project p1 may still fire: aom_alarm.a0, aom_alarm.a1" in told
    )
    assert "put `stack: tests` back, run `reconciler destroy`" in told
    assert any('stack "tests"' in summary for summary in warnings(applied(stack), "destroy", "--auto-approve"))
    edit(stack, "stack: renamed", "stack: tests")
    assert reconciler("destroy", stack, "--auto-approve").code == 0
    edit(stack, "stack: tests", "stack: renamed")
    assert warnings(stack) == []


def test_a_stack_that_another_file_beside_it_declares_is_not_taken_for_renamed(stack: Path) -> None:
    text = (stack / "stack.yaml").read_text().replace("stack: tests", "stack: other")
    (stack / "other.yaml").write_text(text)
    assert warnings(stack / "other.yaml") == []


def test_the_same_stack_of_another_environment_is_not_taken_for_renamed(tmp_path: Path, emulator: Emulator) -> None:
    named = '"shop-${var.environment}"\nvariables: {environment: {type: string}}'
    directory = write(tmp_path, "one", stack=named, endpoint=emulator.url)
    for environment in ("staging", "production"):
        done = reconciler("apply", directory, "--auto-approve", "--var", f"environment={environment}")
        assert done.code == 0, done
        assert "any more" not in done.out


def test_files_beside_the_ledger_that_are_none_are_skipped(stack: Path) -> None:
    (stack / ".reconciler" / "notes.db").write_text("no ledger")
    assert warnings(stack) == []


def test_a_copy_of_the_ledger_beside_it_is_not_taken_for_another_stack(stack: Path) -> None:
    ledger = stack / ".reconciler" / "tests.db"
    (stack / ".reconciler" / "backup.db").write_bytes(ledger.read_bytes())
    assert warnings(stack) == []
