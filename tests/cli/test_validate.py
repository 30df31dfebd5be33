"""``reconciler validate``, and how what is wrong with a configuration is told."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.run_cli import reconciler
from tests.cli.stacks import TOKEN, write

WRONG = """\
    one: {event_severty: Major, timeout: 99d, resource_provider: ecs, resource_type: vm, resource_id: r}
    two: {event_severity: Major, timeout: 9d, resource_provider: ecs, resource_type: vm, resource_id: "${var.nope}"}
"""


def test_a_valid_stack_is_said_to_be_and_what_it_declares(tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    assert reconciler("validate", tmp_path) == (0, "Valid. The stack tests declares 2 alarms.\n", "")


def test_a_single_file_is_a_stack_too(tmp_path: Path) -> None:
    write(tmp_path, "a")
    assert reconciler("validate", tmp_path / "stack.yaml").code == 0


def test_every_problem_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    write(tmp_path, "a", more=WRONG)
    done = reconciler("validate", tmp_path)
    assert done.code == 1
    assert done.out == ""
    assert "event_severty" in done.err
    assert "nope" in done.err
    assert "stack.yaml:7:" in done.err
    assert done.err.count("error: ") >= 2
    assert done.err.rstrip().endswith("errors.")


def test_a_failure_is_a_json_document_where_json_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "a", more=WRONG)
    done = reconciler("validate", tmp_path, "--format", "json")
    document = json.loads(done.out)
    assert done.code == 1
    assert done.err == ""
    assert document["error_count"] == len(document["diagnostics"]) >= 2
    assert {"severity", "summary", "hint", "address", "more", "position", "source"} == set(document["diagnostics"][0])


def test_a_valid_stack_as_json_counts_its_resources(tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    document = json.loads(reconciler("validate", tmp_path, "--format", "json").out)
    assert document["error_count"] == 0
    assert document["resources"] == {"aom_alarm": 2}


def test_a_place_without_a_stack_is_told_with_what_to_do(tmp_path: Path) -> None:
    done = reconciler("validate", tmp_path)
    assert done.code == 1
    assert "there is no configuration" in done.err
    assert "reconciler init" in done.err
    assert "cannot be read" in reconciler("validate", tmp_path / "missing.yaml").err


def test_a_variable_is_given_on_the_command_line_in_a_file_or_by_the_environment(tmp_path: Path) -> None:
    stack = write(tmp_path / "stack", "a", more="variables: {release: {}}\n")
    (tmp_path / "values.yaml").write_text("release: one\n")
    assert "release has no value" in reconciler("validate", stack).err
    assert reconciler("validate", stack, "--var", "release=1=2").code == 0
    assert reconciler("validate", stack, "--var-file", tmp_path / "values.yaml").code == 0
    assert reconciler("validate", stack, env={"RECONCILER_VAR_release": "one"}).code == 0


def test_a_variable_of_a_file_that_cannot_be_read_is_not_called_missing(tmp_path: Path) -> None:
    stack = write(tmp_path / "stack", "a", more="variables: {release: {}}\n")
    for text in ("release: [\n", "- release\n"):
        (tmp_path / "values.yaml").write_text(text)
        done = reconciler("validate", stack, "--var-file", tmp_path / "values.yaml")
        assert "values.yaml:" in done.err
        assert "has no value" not in done.err


def test_a_region_in_capitals_is_suggested_in_small_letters(tmp_path: Path) -> None:
    (tmp_path / "stack.yaml").write_text(
        "stack: a\nproviders:\n  aom: {region: CN-North-4, project_id: p, auth: {token: a-token}}\n"
    )
    assert 'did you mean "cn-north-4"?' in reconciler("validate", tmp_path).err


def test_a_malformed_variable_is_refused_without_being_repeated(tmp_path: Path) -> None:
    done = reconciler("validate", write(tmp_path, "a"), "--var", TOKEN)
    assert done.code == 1
    assert "NAME=VALUE" in done.err
    assert TOKEN not in done.err


def test_a_span_longer_than_any_service_allows_is_told_where_it_stands(tmp_path: Path) -> None:
    text = (
        "stack: tests\n"
        "providers:\n"
        "  aom:\n"
        "    endpoint: embedded\n"
        "    project_id: p1\n"
        f"    auth: {{token: {TOKEN}}}\n"
        "    lookback: 9999d\n"
        "    visible_within: 999999999999999999d\n"
        "  bcm:\n"
        "    endpoint: embedded\n"
        "    user_id: u\n"
        "    auth: {ak: a, sk: b}\n"
        "    lookback: 366d\n"
        "data: {aom_alarms: {all: {lookback: 367d}}}\n"
    )
    (tmp_path / "stack.yaml").write_text(text)
    found = json.loads(reconciler("validate", tmp_path, "--format", "json").out)["diagnostics"]
    told = {each["position"]["line"]: each["summary"] for each in found}
    assert set(told) == {7, 8, 13, 14}
    assert all(("at most 1h" if line == 8 else "at most 365d") in summary for line, summary in told.items())
