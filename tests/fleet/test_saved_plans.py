"""Saved plans of a fleet, applied as they were shown; and plans that are approved at a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run_cli import reconciler
from tests.cli.stacks import write, write_fleet
from tests.emulator.handle import Emulator
from tests.fleet.fleets import ONE, by_name, fleet_json


@pytest.fixture
def saved(tmp_path: Path, emulator: Emulator) -> Path:
    """A directory with the plans of three stacks, one of which needs nothing and one of which could not be planned."""
    root = write_fleet(tmp_path / "fleet", emulator.url, "a", "b", "bad", "quiet")
    assert reconciler("apply", root / "stacks/quiet", "--auto-approve").code == 0
    (root / "stacks/bad/stack.yaml").write_text("stack: [\n")
    emulator.forget_requests()
    done = reconciler("fleet", "plan", *ONE, root, "--out", tmp_path / "plans")
    assert done.code == 1
    assert f"Saved 3 plans. To apply exactly these: reconciler fleet apply {tmp_path}/plans" in done.err
    return tmp_path / "plans"


def test_saved_plans_are_applied_as_shown_and_once(saved: Path, emulator: Emulator) -> None:
    done, report = fleet_json("apply", saved)
    assert by_name(report) == {"a": "done", "b": "done", "bad": "not run", "quiet": "done"}
    assert by_name(report, "diagnostics")["bad"][0]["summary"].startswith(
        "there is no plan to apply: this is not valid YAML"
    )
    assert done.code == 1
    assert len(emulator.requests("push")) == 2
    _, report = fleet_json("apply", saved)
    assert by_name(report, "repeated") == {"a": True, "b": True, "bad": False, "quiet": False}
    assert by_name(report, "summary")["a"] == "applied already: 1 pushed"
    assert len(emulator.requests("push")) == 2


def test_a_saved_plan_is_refused_where_its_stack_has_moved_on_and_the_others_are_applied(
    saved: Path, emulator: Emulator
) -> None:
    write(saved.parent / "fleet/stacks/a", "a", severity="Minor", stack="a", endpoint=emulator.url)
    done, report = fleet_json("apply", saved)
    assert by_name(report)["a"] == "failed"
    assert by_name(report)["b"] == "done"
    summary = by_name(report, "diagnostics")["a"][0]["summary"]
    assert summary == "aom_alarm.a is declared differently since the plan was made"
    assert done.code == 1


def test_a_plan_that_was_swapped_for_another_is_refused(saved: Path, emulator: Emulator) -> None:
    manifest = json.loads((saved / "manifest.json").read_text())
    files = {
        Path(unit["unit"]["path"]).name: Path(unit["unit"]["plan_file"])
        for wave in manifest["waves"]
        for unit in wave["units"]
    }
    files["a"].write_bytes(files["b"].read_bytes())
    _, report = fleet_json("apply", saved)
    assert by_name(report, "diagnostics")["a"][0]["summary"] == (
        f"{files['a']} is not the plan that was saved with its fleet"
    )
    assert by_name(report)["b"] == "done"


def test_saved_plans_keep_no_variable_of_the_command_line(tmp_path: Path, emulator: Emulator) -> None:
    root = write_fleet(tmp_path / "fleet", emulator.url, "a")
    stack = root / "stacks/a/stack.yaml"
    stack.write_text(
        f"variables: {{token: {{sensitive: true}}}}\n{stack.read_text()}".replace("s3cr3t-t0ken", '"${var.token}"')
    )
    plans = tmp_path / "plans"
    assert reconciler("fleet", "plan", *ONE, root, "--out", plans, "--var", "token=hunter2hunter2").code == 0
    assert not any("hunter2" in file.read_text() for file in plans.iterdir())
    assert reconciler("fleet", "apply", *ONE, plans).code == 1
    done, report = fleet_json("apply", plans, "--var", "token=hunter2hunter2")
    assert (done.code, by_name(report)) == (0, {"a": "done"})


def test_plans_that_would_hold_a_password_are_not_saved(tmp_path: Path, emulator: Emulator) -> None:
    root = write_fleet(tmp_path / "fleet", emulator.url, "a")
    url = "postgresql://ann:hunter2hunter2@db.example.com/reconciler"
    done = reconciler("fleet", "plan", *ONE, root, "--out", tmp_path / "plans", "--ledger", url)
    assert done.code == 1
    assert "the URL of the ledger holds a password, which would be saved with the plans" in done.err
    assert not (tmp_path / "plans").exists()


def test_the_ledger_option_may_name_an_environment_variable(tmp_path: Path, emulator: Emulator) -> None:
    root = write_fleet(tmp_path / "fleet", emulator.url, "a")
    environ = {"FLEET_LEDGER": str(tmp_path / "ledgers")}
    options = ("--ledger", "${env.FLEET_LEDGER}")
    assert reconciler("fleet", "plan", *ONE, root, "--out", tmp_path / "plans", *options, env=environ).code == 0
    assert str(tmp_path / "ledgers") not in (tmp_path / "plans/manifest.json").read_text()
    assert reconciler("fleet", "apply", *ONE, tmp_path / "plans", env=environ).code == 0
    assert (tmp_path / "ledgers/a.db").is_file()


def test_saved_plans_are_applied_with_the_ledger_that_is_given(saved: Path, tmp_path: Path) -> None:
    _, report = fleet_json("apply", saved, "--ledger", str(tmp_path / "elsewhere"))
    assert by_name(report)["a"] == "done"
    assert (tmp_path / "elsewhere/a.db").is_file()


def test_plans_that_were_not_all_saved_are_refused_and_can_be_made_again(saved: Path) -> None:
    (saved / "manifest.json").unlink()
    done = reconciler("fleet", "apply", saved)
    assert (done.code, "saving these plans did not end; make new ones" in done.err) == (1, True)
    reconciler("fleet", "plan", *ONE, saved.parent / "fleet", "--out", saved)
    assert (saved / "manifest.json").is_file()


def test_saved_plans_are_refused_where_their_stacks_are_not(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_fleet(tmp_path / "fleet", emulator.url, "a").parent / "fleet")
    assert reconciler("fleet", "plan", *ONE, "--out", "plans").code == 0
    monkeypatch.chdir(tmp_path)
    done = reconciler("fleet", "apply", "fleet/plans")
    assert done.code == 1
    assert "the stacks of the plans in fleet/plans are not here: there is no stacks/a" in done.err


def test_a_directory_that_holds_something_else_is_no_place_for_plans(tmp_path: Path, emulator: Emulator) -> None:
    root = write_fleet(tmp_path / "fleet", emulator.url, "a")
    done = reconciler("fleet", "plan", *ONE, root, "--out", root)
    assert done.code == 1
    assert f"{root} is not empty, and holds no saved plans" in done.err
    (tmp_path / "manifest.json").write_text("{}")
    assert "is not a manifest of saved plans" in reconciler("fleet", "apply", tmp_path).err


@pytest.mark.parametrize(("answer", "pushed", "code"), [("yes\n", 2, 0), ("no\n", 0, 1)])
def test_an_apply_shows_all_plans_and_asks_once(
    tmp_path: Path, emulator: Emulator, answer: str, pushed: int, code: int
) -> None:
    root = write_fleet(tmp_path, emulator.url, "a", "b")
    done = reconciler("fleet", "apply", *ONE, root, answers=answer)
    assert done.code == code
    assert "+ aom_alarm.a will be created: not firing yet" in done.out
    assert "Do you want to apply the plans of 2 stacks?" in done.err
    assert len(emulator.requests("push")) == pushed


def test_an_apply_that_nobody_can_approve_is_refused_before_anything_is_asked(
    tmp_path: Path, emulator: Emulator
) -> None:
    root = write_fleet(tmp_path, emulator.url, "a")
    done = reconciler("fleet", "apply", *ONE, root)
    assert done.code == 1
    assert "approval is needed, and standard input is not a terminal" in done.err
    assert emulator.requests() == []
    assert "plnas cannot be read" in reconciler("fleet", "apply", root / "plnas").err
