"""Reports say what is so: drift, targets, instances alike, next commands, what a stack declares."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from reconciler.ledger.errors import to_diagnostic
from reconciler.ledger.sqlite import SqliteLedger
from reconciler.providers.aom.provider import AomProvider
from tests.cli.run_cli import reconciler

ALARM = "event_severity: Info, resource_provider: ecs, resource_type: vm"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(Settings()) as url:
        yield url


def write(directory: Path, url: str, resources: str, more: str = "") -> Path:
    project = directory.name.replace(" ", "-")[-40:]
    (directory / "stack.yaml").write_text(
        "stack: true-reports\n"
        f'providers: {{aom: {{endpoint: "{url}", project_id: "{project}", auth: {{token: token-of-reports}}}}}}\n'
        f"{more}resources:\n  aom_alarm:\n{resources}"
    )
    return directory


def many(count: int) -> str:
    return f'    a: {{for_each: "${{range({count}) | list}}", {ALARM}, resource_id: "i${{each.key}}"}}\n'


def test_refresh_only_tells_what_is_not_drift_and_not_done(tmp_path: Path, url: str) -> None:
    stack = write(tmp_path, url, many(3))
    done = reconciler("plan", stack, "--refresh-only", "--detailed-exitcode")
    assert done.code == 0
    assert done.out.endswith("No drift. 3 declared alarms do not fire yet.\n")
    assert reconciler("apply", stack, "--auto-approve", "--no-verify", "--target", 'aom_alarm.a["0"]').code == 0
    assert "No drift. 2 declared alarms do not fire yet." in reconciler("plan", stack, "--refresh-only").out
    assert "No drift. 2 declared" in reconciler("plan", stack, "--refresh-only", "--format", "markdown").out
    assert reconciler("apply", stack, "--auto-approve", "--no-verify").code == 0
    done = reconciler("plan", stack, "--refresh-only")
    assert done.out.endswith("No drift. 3 alarms are as declared.\n")


def test_a_target_brings_what_it_depends_on_and_says_so(tmp_path: Path, url: str) -> None:
    chain = f"    base: {{{ALARM}, resource_id: b}}\n"
    chain += f"    middle: {{{ALARM}, resource_id: m, depends_on: [aom_alarm.base]}}\n"
    chain += f"    top: {{{ALARM}, resource_id: t, depends_on: [aom_alarm.middle]}}\n"
    chain += f"    other: {{{ALARM}, resource_id: o}}\n"
    stack = write(tmp_path, url, chain)
    done = reconciler("plan", stack, "--target", "aom_alarm.top")
    assert "Plan: 3 to create." in done.out
    assert "--target includes aom_alarm.middle, aom_alarm.base, which the targets depend on" in done.out
    assert reconciler("apply", stack, "--auto-approve", "--no-verify", "--target", "aom_alarm.top").code == 0
    done = reconciler("plan", stack, "--target", "aom_alarm.top")
    assert "--target includes" not in done.out
    assert "3 alarms are as declared" in done.out


@pytest.mark.parametrize("command", [["plan"], ["apply", "--auto-approve", "--no-verify"]])
def test_a_plan_of_many_instances_fits_a_screen_and_is_shown_whole_on_demand(
    tmp_path: Path, url: str, command: list[str]
) -> None:
    stack = write(tmp_path, url, many(300))
    whole = reconciler("plan", stack, "--full")
    assert whole.out.count("will be created") == 300
    done = reconciler(*command, stack)
    assert len(done.out.splitlines()) < 30
    assert 'and 299 more instances alike: ["1"], ["2"], ["3"], ["4"], ["5"], …  (--full shows all)' in done.out


def test_the_next_command_works_as_it_is_printed(tmp_path: Path, url: str) -> None:
    directory = tmp_path / "a stack"
    directory.mkdir()
    variables = tmp_path / "variables of production.yaml"
    variables.write_text("id: x y\n")
    stack = write(directory, url, f'    a: {{{ALARM}, resource_id: "${{var.id}}"}}\n', "variables: {id: {}}\n")
    done = reconciler("plan", stack, "--var-file", variables, "--out", tmp_path / "plan.json")
    assert done.code == 0, done.err
    printed = next(line for line in done.err.splitlines() if "reconciler apply" in line)
    words = shlex.split(printed[printed.index("reconciler apply") :])
    assert reconciler(*words[1:]).code == 0


def test_validate_counts_queries_checks_and_drills(tmp_path: Path, url: str) -> None:
    more = "data: {aom_alarms: {firing: {}}}\nchecks:\n  calm: {data: aom_alarms.firing, expect: {count: 0}}\n"
    stack = write(tmp_path, url, many(2), more)
    done = reconciler("validate", stack)
    assert done.out == "Valid. The stack true-reports declares 2 alarms, 1 query and 1 check.\n", done.err
    document = json.loads(reconciler("validate", stack, "--format", "json").out)
    assert (document["queries"], document["checks"], document["drills"]) == (1, 1, 0)


def test_a_run_that_fails_in_its_middle_names_what_it_did_and_exits_with_4(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = f"    b: {{{ALARM}, resource_id: b, depends_on: [aom_alarm.a]}}\n"
    stack = write(tmp_path, url, many(3) + after)
    begin = SqliteLedger.begin_attempts
    calls: list[int] = []

    def fail(*arguments: Any, **more: Any) -> None:
        calls.append(1)
        if len(calls) == 2:  # the alarms of a, then b
            raise RuntimeError("out of cheese")
        begin(*arguments, **more)

    monkeypatch.setattr(SqliteLedger, "begin_attempts", fail)
    done = reconciler("apply", stack, "--auto-approve", "--no-verify")
    assert done.code == 4
    assert "3 of 4 done (3 created)" in done.out
    assert "Not done:" in done.out
    assert "out of cheese" in done.err
    assert "stopped by an internal error" in done.out


@pytest.mark.parametrize("error", [RuntimeError("out of cheese"), to_diagnostic(OSError(ENOSPC, ""), Path("shop.db"))])
def test_a_run_that_fails_before_its_first_request_exits_with_1_and_says_that_nothing_is_applied(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(SqliteLedger, "begin_attempts", fail)
    done = reconciler("apply", write(tmp_path, url, many(3)), "--auto-approve", "--no-verify")
    assert done.code == 1
    assert "Nothing applied: 3 not started." in done.out


def test_a_request_whose_answer_is_lost_by_an_internal_error_is_not_told_as_never_sent(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = AomProvider.send

    def fail(*arguments: Any) -> None:
        send(*arguments)
        raise RuntimeError("out of cheese")

    monkeypatch.setattr(AomProvider, "send", fail)
    stack = write(tmp_path, url, many(3))
    done = reconciler("apply", stack, "--auto-approve", "--no-verify")
    assert done.code == 4
    assert "Applied in part: 0 of 3 done, 3 unknown." in done.out
    monkeypatch.undo()
    assert "3 had reached the service" in reconciler("apply", stack, "--auto-approve").err
    assert "No changes" in reconciler("plan", stack).out
