"""``reconciler apply`` and ``reconciler destroy``."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from reconciler.emulator.fault import parse_fault
from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from reconciler.ledger.sqlite import open_ledger
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write
from tests.emulator.handle import Emulator


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return write(tmp_path / "stack", "one", "two")


def test_apply_shows_the_plan_does_it_and_says_so(stack: Path) -> None:
    done = reconciler("apply", stack, "--auto-approve")
    assert done.code == 0
    *_, counts, run, summary = done.out.splitlines()
    assert (counts, summary) == ("Plan: 2 to create.", "Apply complete: 2 created.")
    assert re.fullmatch(r"Run [0-9a-f]{16} by \S+ on \S+.*", run)


def test_a_second_apply_has_nothing_to_do(stack: Path) -> None:
    reconciler("apply", stack, "--auto-approve")
    told = "Target aom: aom embedded, project p1\nNo changes. 2 alarms are as declared.\n"
    assert reconciler("apply", stack, "--auto-approve") == (0, told, "")


def test_without_a_terminal_nothing_is_done_unless_approved_beforehand(stack: Path) -> None:
    done = reconciler("apply", stack)
    assert done.code == 1
    assert "--auto-approve" in done.err
    assert done.out == ""
    assert "Plan: 2 to create." in reconciler("plan", stack).out


def test_only_yes_approves(stack: Path) -> None:
    for answer in ("", "y\n", "no\n"):
        done = reconciler("apply", stack, answers=answer)
        assert done.code == 1
        assert "Do you want to perform these actions?" in done.err
        assert "Only 'yes' will be accepted to approve." in done.err
        assert "Nothing was done." in done.err
    assert reconciler("apply", stack, answers="yes\n").code == 0


def test_a_question_can_not_be_asked_in_json(stack: Path) -> None:
    done = reconciler("apply", stack, "--format", "json", answers="yes\n")
    assert done.code == 1
    assert "--auto-approve" in json.loads(done.out)["diagnostics"][0]["hint"]


def test_the_result_as_json(stack: Path) -> None:
    document = json.loads(reconciler("apply", stack, "--auto-approve", "--format", "json").out)
    assert document["complete"] is True
    assert document["summary"] == "Apply complete: 2 created."
    assert len(document["plan"]["changes"]) == 2
    again = json.loads(reconciler("apply", stack, "--auto-approve", "--format", "json").out)
    assert again["summary"] == "No changes. 2 alarms are as declared."


def test_the_result_as_markdown_holds_the_plan_and_what_became_of_it(stack: Path) -> None:
    shown = reconciler("apply", stack, "--auto-approve", "--format", "markdown").out
    assert shown.startswith("### Plan for `tests`")
    assert "### Apply of `tests`\n\n**Apply complete: 2 created.**" in shown


def test_a_saved_plan_is_applied_without_a_question_and_only_once(stack: Path, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    reconciler("plan", stack, "--out", saved)
    assert reconciler("apply", stack, saved).out.endswith("Apply complete: 2 created.\n")
    again = reconciler("apply", stack, saved)
    assert again.code == 0
    assert again.out == "Already applied: every operation of this plan is done. Nothing was sent.\n"


def test_a_saved_plan_named_alone_is_of_the_stack_here(
    stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stack)
    reconciler("plan", "--out", "plan.json")
    assert reconciler("apply", "plan.json").code == 0


def test_a_saved_plan_is_refused_where_the_configuration_has_moved_on(stack: Path, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    reconciler("plan", stack, "--out", saved)
    write(stack, "one", "two", severity="Critical")
    done = reconciler("apply", stack, saved)
    assert done.code == 1
    assert "aom_alarm.one is declared differently" in done.err
    assert "aom_alarm.two is declared differently" in done.err
    assert "Plan: 2 to create." in reconciler("plan", stack).out


def test_a_saved_plan_of_another_stack_is_refused(stack: Path, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    reconciler("plan", stack, "--out", saved)
    done = reconciler("apply", write(tmp_path / "other", "one", stack="other"), saved)
    assert done.code == 1
    assert "the plan is for the stack tests" in done.err


def test_guards_refuse_a_plan_with_the_numbers_unless_it_is_forced(tmp_path: Path) -> None:
    stack = write(tmp_path, "one", "two", more="guards: {max_changes: 1}\n")
    done = reconciler("apply", stack, "--auto-approve")
    assert done.code == 1
    assert "2 changes" in done.err
    assert "--force" in done.err
    assert reconciler("apply", stack, "--auto-approve", "--force").code == 0


def test_what_a_service_refuses_is_named_with_its_words_and_the_command_to_continue(tmp_path: Path) -> None:
    settings = Settings(faults=(parse_fault("push:status=400,nth=1"),))
    with running(settings) as url:
        stack = write(tmp_path, "one", endpoint=url)
        done = reconciler("apply", stack, "--auto-approve", "--no-verify")
        assert done.code == 1
        assert "aom_alarm.one" in done.out
        assert "push: failed, 400" in done.out
        assert "Nothing applied: 1 failed." in done.out
        assert f"To continue: reconciler apply {stack}" in done.out
        assert reconciler("apply", stack, "--auto-approve").code == 0


def test_without_verifying_no_second_alarm_is_left_where_the_service_does_not_merge(tmp_path: Path) -> None:
    with running(Settings(on_repeat="duplicate")) as url:
        stack = write(tmp_path, "one", "two", endpoint=url)
        assert reconciler("apply", stack, "--auto-approve").code == 0
        text = (stack / "stack.yaml").read_text()
        (stack / "stack.yaml").write_text(text.replace("timeout: 30m", "timeout: 40m"))
        done = reconciler("apply", stack, "--auto-approve", "--no-verify", "--format", "json")
        assert (done.code, json.loads(done.out)["undecided"]) == (0, [])
        assert sorted(alarm["timeout"] for alarm in Emulator(url).active_alarms()) == [2_400_000, 2_400_000]
        assert "No changes." in reconciler("plan", stack).out


def test_without_verifying_what_may_fire_twice_is_named(tmp_path: Path) -> None:
    with running(Settings(on_repeat="duplicate")) as url:
        stack = write(tmp_path, "one", endpoint=url)
        assert reconciler("apply", stack, "--auto-approve").code == 0
        text = (stack / "stack.yaml").read_text()
        (stack / "stack.yaml").write_text(text.replace("timeout: 30m", "timeout: 40m"))
        Emulator(url).fault("push:hide=10m,nth=1")
        done = reconciler("apply", stack, "--auto-approve", "--no-verify")
        assert done.code == 0
        assert "May fire twice: 1 alarm pushed again" in done.out
        assert "    aom_alarm.one\n" in done.out


def test_applied_in_part_is_exit_code_4(tmp_path: Path) -> None:
    with running(Settings(faults=(parse_fault("push:status=400,nth=2"),))) as url:
        stack = write(tmp_path, "one", "two", endpoint=url)
        text = (stack / "stack.yaml").read_text()
        (stack / "stack.yaml").write_text(text.replace("project_id:", "batch_size: 1, parallelism: 1, project_id:"))
        done = reconciler("apply", stack, "--auto-approve")
    assert done.code == 4
    assert "Applied in part: 1 of 2 done (1 created), 1 failed." in done.out


def test_a_held_lease_is_exit_code_5_and_names_its_holder(stack: Path) -> None:
    reconciler("apply", stack, "--auto-approve")
    ledger = open_ledger(stack / ".reconciler" / "tests.db")
    ledger.acquire("ada", "elsewhere", 4711, time.time_ns() // 1_000_000, 600_000)
    ledger.close()
    done = reconciler("apply", stack, "--auto-approve")
    assert done.code == 5
    assert "ada on elsewhere (process 4711)" in done.err
    assert "reconciler ledger unlock" in done.err


def test_destroy_clears_what_the_stack_owns_and_nothing_else(tmp_path: Path) -> None:
    with running(Settings()) as url:
        mine, other = (write(tmp_path / name, "one", stack=name, endpoint=url) for name in ("mine", "other"))
        for each in (mine, other):
            assert reconciler("apply", each, "--auto-approve").code == 0
        assert reconciler("destroy", mine, "--auto-approve").out.endswith("Destroy complete: 1 cleared.\n")
        again = reconciler("destroy", mine, "--auto-approve").out
        assert again.endswith("project p1\nNo changes. No alarm of this stack is firing, and none should be.\n")
        assert "No changes." in reconciler("plan", other).out


def test_destroy_asks_a_question_of_its_own(stack: Path) -> None:
    reconciler("apply", stack, "--auto-approve")
    done = reconciler("destroy", stack, answers="no\n")
    assert "Do you really want to clear all of these alarms?" in done.err
    assert done.code == 1


def test_destroy_of_a_target_leaves_the_rest(stack: Path) -> None:
    reconciler("apply", stack, "--auto-approve")
    reconciler("destroy", stack, "--target", "aom_alarm.one", "--auto-approve")
    assert "Plan: 1 to create." in reconciler("plan", stack).out


def test_after_its_deadline_a_run_sends_nothing_new_and_says_what_remains(tmp_path: Path) -> None:
    with running(Settings(faults=(parse_fault("push:status=429,retry_after=30"),))) as url:
        done = reconciler("apply", write(tmp_path / "stack", "one", endpoint=url), "--auto-approve", "--deadline", "1s")
    assert done.code == 1
    assert "To continue: " in done.out
    assert reconciler("apply", tmp_path / "stack", "--auto-approve", "--deadline", "soon").err.startswith(
        "error: --deadline: 'soon' is not a duration"
    )


def test_a_saved_plan_is_refused_where_the_service_has_moved_on(stack: Path, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    reconciler("plan", stack, "--out", saved)
    reconciler("apply", stack, "--auto-approve", "--target", "aom_alarm.two")
    done = reconciler("apply", stack, saved)
    assert done.code == 1
    assert "aom_alarm.two has changed at the service since the plan" in done.err
    assert "aom_alarm.one" not in done.err


def test_a_saved_plan_that_failed_is_refused_once_another_has_done_its_work(tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    with running(Settings(faults=(parse_fault("push:status=400,nth=1"),), on_repeat="duplicate")) as url:
        stack = write(tmp_path / "stack", "one", endpoint=url)
        reconciler("plan", stack, "--out", saved)
        assert reconciler("apply", stack, saved).code == 1
        assert reconciler("apply", stack, "--auto-approve").code == 0
        again = reconciler("apply", stack, saved)
        assert again.code == 1
        assert "aom_alarm.one has changed at the service since the plan" in again.err
        assert reconciler("plan", stack).out.endswith("No changes. 1 alarm is as declared.\n")


def test_a_plan_file_that_is_not_there_is_named(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stack)
    done = reconciler("apply", "nope.json")
    assert done.code == 1
    assert "cannot read nope.json: No such file or directory" in done.err


def test_a_refused_caller_is_told_what_to_check(tmp_path: Path) -> None:
    with running(Settings(faults=(parse_fault("push:status=403"),))) as url:
        done = reconciler("apply", write(tmp_path, "one", endpoint=url), "--auto-approve")
    assert done.code == 1
    assert "The run was stopped: 403 AOM.0403: auth failed. Check the credentials under `providers`" in done.out
