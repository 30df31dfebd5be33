"""``reconciler plan`` and ``reconciler show``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.emulator.fault import parse_fault
from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.cli.run_cli import reconciler
from tests.cli.stacks import TOKEN, write
from tests.frozen_time import frozen_time


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return write(tmp_path / "stack", "one", "two")


def test_a_plan_is_shown_and_nothing_is_done(stack: Path) -> None:
    for _ in range(2):
        done = reconciler("plan", stack)
        assert done.code == 0
        assert done.out.endswith("\nPlan: 2 to create.\n")
        assert done.err == ""


def test_exit_code_2_says_that_there_are_changes_where_it_is_asked_for(stack: Path) -> None:
    assert reconciler("plan", stack, "--detailed-exitcode").code == 2
    assert reconciler("apply", stack, "--auto-approve").code == 0
    done = reconciler("plan", stack, "--detailed-exitcode")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("No changes. 2 alarms are as declared.\n")


def test_a_target_limits_the_plan(stack: Path) -> None:
    assert "Plan: 1 to create." in reconciler("plan", stack, "--target", "aom_alarm.two").out


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("aom_alarm.disk", "the stack has no such resource"),
        ("aom_alrm.two", 'did you mean "aom_alarm.two"?'),
        ("what?", "is not an address"),
    ],
)
def test_a_target_that_means_nothing_is_an_error(stack: Path, target: str, said: str) -> None:
    done = reconciler("plan", stack, "--target", target)
    assert done.code == 1
    assert said in done.err


def test_drift_alone_is_shown_by_refresh_only(stack: Path) -> None:
    assert "No drift." in reconciler("plan", stack, "--refresh-only").out


def test_a_saved_plan_is_shown_as_it_was(stack: Path, tmp_path: Path) -> None:
    saved = tmp_path / "it's a plan.json"
    made = reconciler("plan", stack, "--out", saved)
    assert f"reconciler apply {stack} '" in made.err
    assert saved.stat().st_mode & 0o077 == 0
    for format in ("text", "json", "markdown"):
        made = reconciler("plan", stack, "--format", format)
        shown = reconciler("show", saved, "--format", format)
        assert shown.code == 0
        if format != "json":  # which tells when each was made
            assert shown.out.startswith(made.out)
            assert "It can be applied until " in shown.out.removeprefix(made.out)


def test_a_saved_plan_whose_time_has_passed_says_so_when_it_is_shown(stack: Path, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    with frozen_time("2026-05-01T12:00:00Z"):
        assert reconciler("plan", stack, "--out", saved).code == 0
    with frozen_time("2026-05-01T12:31:00Z"):
        shown = reconciler("show", saved).out
    assert "It could be applied until 2026-05-01T12:30:00Z, 1m ago: make a new plan." in shown


def test_an_altered_plan_is_refused(stack: Path, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    reconciler("plan", stack, "--out", saved)
    saved.write_text(saved.read_text().replace("Major", "Minor"))
    done = reconciler("show", saved)
    assert done.code == 1
    assert "altered" in done.err


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"stack: x"])
def test_what_is_no_plan_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    done = reconciler("show", tmp_path / "plan.json")
    assert done.code == 1
    assert "internal error" not in done.err


def test_a_plan_that_can_not_be_saved_is_an_error(stack: Path, tmp_path: Path) -> None:
    done = reconciler("plan", stack, "--out", tmp_path / "nowhere" / "plan.json")
    assert done.code == 1
    assert "cannot write" in done.err


def test_guards_that_apply_would_keep_to_are_warned_of(tmp_path: Path) -> None:
    stack = write(tmp_path, "one", "two", more="guards: {max_changes: 1}\n")
    done = reconciler("plan", stack)
    assert done.code == 0
    assert "warning: " in done.err
    assert "max_changes" in done.err
    assert reconciler("plan", stack, "--force").err == ""


def test_a_plan_that_is_forbidden_is_shown_and_is_an_error(tmp_path: Path) -> None:
    protected = "    kept: {resource_provider: e, resource_type: v, resource_id: r, timeout: 1h, event_severity: %s,"
    protected += " lifecycle: {prevent_clear: true}}\n"
    assert reconciler("apply", write(tmp_path, "a", more=protected % "Major"), "--auto-approve").code == 0
    write(tmp_path, "a", more=protected % "Minor")
    done = reconciler("plan", tmp_path)
    assert done.code == 1
    assert "1 to replace" in done.out
    assert "prevent_clear" in done.err
    document = reconciler("plan", tmp_path, "--format", "json")
    assert document.code == 1
    assert "prevent_clear" in json.loads(document.out)["diagnostics"][0]["summary"]


def test_an_unreachable_service_is_told_with_its_request_and_what_to_do(tmp_path: Path) -> None:
    done = reconciler("plan", write(tmp_path, "one", endpoint="http://127.0.0.1:9"))
    assert done.code == 1
    assert "127.0.0.1:9" in done.err
    assert "provider: aom" in done.err
    assert f"--> {tmp_path / 'stack.yaml'}:3:3" in done.err
    assert "hint: nothing answers there: start the emulator with `reconciler emulator --port 9`" in done.err


def test_a_service_that_has_no_address_is_a_matter_of_the_endpoint_and_not_of_the_emulator(tmp_path: Path) -> None:
    done = reconciler("plan", write(tmp_path, "one", endpoint="http://nowhere.invalid"))
    assert done.code == 1
    assert "hint: check `endpoint` or `region`" in done.err


def test_a_wrong_token_is_told_with_the_services_words_and_never_shown(tmp_path: Path) -> None:
    with running(Settings(token="another")) as url:  # noqa: S106 - made up
        done = reconciler("plan", write(tmp_path, "one", endpoint=url), "--log-level", "debug")
    assert done.code == 1
    assert "status: 401" in done.err
    assert "request: POST" in done.err
    assert "hint: check the credentials" in done.err
    assert TOKEN not in done.err


def test_a_job_of_github_actions_gets_annotations_and_a_summary(stack: Path, tmp_path: Path) -> None:
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    assert reconciler("plan", stack, env=environ).err == ""
    assert reconciler("apply", stack, "--auto-approve", env=environ).code == 0
    summary = (tmp_path / "summary.md").read_text()
    assert summary.count("### Plan for `tests`") == 2
    assert summary.count("**Apply complete: 2 created.**") == 1
    write(stack, "one", severity="Fatal")
    wrong = reconciler("plan", stack, env=environ)
    assert f"\n::error file={stack / 'stack.yaml'},line=6,col=" in wrong.err


@pytest.mark.parametrize("format", ["text", "json", "markdown"])
def test_no_secret_is_in_any_output_at_any_level(tmp_path: Path, format: str) -> None:
    more = "    loud: {resource_provider: e, resource_type: v, resource_id: r, timeout: 1h, event_severity: Info,"
    more += f" annotations: {{m: 'is {TOKEN} here'}}}}\n"
    stack = write(tmp_path, "one", more=more)
    commands: list[tuple[str | Path, ...]] = [("plan", stack), ("apply", stack, "--auto-approve"), ("validate", stack)]
    for command in commands:
        # A validated stack has no Markdown.
        options = ["--format", format if command[0] != "validate" else "text", "--log-level", "debug"]
        done = reconciler(*command, *options, "--log-format", "json")
        assert done.code == 0
        assert TOKEN not in done.out + done.err
        assert "(sensitive)" in done.out or command[0] == "validate"


def test_what_only_shows_drift_can_not_be_saved_as_a_plan(stack: Path, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    done = reconciler("plan", stack, "--refresh-only", "--out", saved)
    assert done.code == 1
    assert "--refresh-only shows drift: there is no plan to save" in done.err
    assert not saved.exists()


def test_a_query_waits_for_a_busy_service_as_it_asks(tmp_path: Path) -> None:
    with running(Settings(faults=(parse_fault("query:status=503,retry_after=0,first=2"),))) as url:
        done = reconciler("plan", write(tmp_path, "one", endpoint=url))
    assert done.code == 0
    assert "Plan: 1 to create." in done.out


def test_a_path_that_leads_nowhere_is_named_without_a_place_in_it(tmp_path: Path) -> None:
    for arguments in (("plan", tmp_path / "nowhere"), ("plan", write(tmp_path, "one"), "--var-file", "nowhere")):
        done = reconciler(*arguments)
        assert done.code == 1
        assert "nowhere cannot be read: No such file or directory\n = hint: check the path" in done.err
        assert "-->" not in done.err
