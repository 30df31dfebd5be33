"""``reconciler check``, whole, against the emulator over HTTP: what it says and what a script learns."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from reconciler.app.check import check_exit_code
from reconciler.checks.poll import CheckStatus
from reconciler.cli.command import ExitCode
from reconciler.core.duration import SECOND
from reconciler.emulator.settings import Settings
from tests.cli.run_cli import Done, reconciler
from tests.emulator.handle import Emulator

STACK = """\
stack: smoke
providers:
  aom: {{endpoint: "{aom}", project_id: p, auth: {{token: s3cr3t-t0ken}}, visible_within: 5s}}
  bcm: {{endpoint: "{bcm}", user_id: u, auth: {{ak: the-ak, sk: the-s3cret-key}}}}
data:
  aom_alarms:
    firing: {{}}
  bcm_alarms:
    firing: {{alarm_type: ALARM_TYPE_CLOUD, states: [ALERT]}}
checks:
"""
QUIET = "  quiet: {data: bcm_alarms.firing, expect: {count: 0}, description: Nothing fires in Baidu.}\n"
CALM = "  calm: {data: aom_alarms.firing, expect: {none: {event_severity: Critical}}}\n"
PATH = "  path: {canary: {}, within: 20s}\n"
ALARM = {
    "id": "a1",
    "startTime": "-5m",
    "state": "ALERT",
    "policy": {"aliasName": "disk <full> & |busy|", "level": "ALARM_LEVEL_MAJOR"},
    "resource": {"identifiers": {"InstanceId": "i-1"}},
}

Run = Callable[..., Done]


@pytest.fixture
def run(emulator: Emulator, tmp_path: Path) -> Run:
    """Runs the checks given against the emulator."""

    def check(checks: str, *arguments: str | Path, aom: str = emulator.url, bcm: str = emulator.url) -> Done:
        (tmp_path / "stack.yaml").write_text(STACK.format(aom=aom, bcm=bcm) + checks)
        return reconciler("check", tmp_path, *arguments)

    return check


def test_all_that_pass_are_exit_code_0_and_a_line_each(run: Run) -> None:
    done = run(QUIET + CALM + PATH)
    assert done.code == ExitCode.DONE, done
    assert "✓ passed      quiet  bcm_alarms.firing" in done.out
    assert "visible after" in done.out
    assert done.out.endswith("3 checks: 3 passed.\n")


def test_one_that_fails_is_exit_code_3_with_what_it_fails_at(run: Run, emulator: Emulator) -> None:
    emulator.put_bcm_alarms(ALARM)
    done = run(QUIET + CALM)
    assert done.code == ExitCode.CHECK_FAILED
    assert "✗ failed      quiet" in done.out
    assert "found 1, expected exactly 0" in done.out
    assert "  disk <full> & |busy| (ALARM_LEVEL_MAJOR, ALERT) on i-1  id a1\n" in done.out
    assert done.out.endswith("2 checks: 1 passed, 1 failed.\n")


def test_a_service_that_can_not_be_reached_is_exit_code_1_and_named(run: Run) -> None:
    done = run(QUIET + CALM, bcm="http://127.0.0.1:9")
    assert done.code == ExitCode.ERROR
    assert "? unknown     quiet" in done.out
    assert "bcm_alarms.firing could not be queried: no connection to 127.0.0.1:9" in done.out
    assert done.out.endswith("2 checks: 1 passed, 1 could not be queried (quiet).\n")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("bcm-list:status=401", ExitCode.ERROR),
        ("bcm-list:status=400", ExitCode.ERROR),
        ("bcm-list:html,first=1", ExitCode.DONE),  # what may pass in a moment is asked again
        ("bcm-list:cut,first=1", ExitCode.DONE),
        ("bcm-list:status=429,retry_after=1,first=2", ExitCode.DONE),
        ("bcm-list:status=503,first=2", ExitCode.DONE),
        ("bcm-list:status=503,retry_after=600", ExitCode.ERROR),  # longer than anybody waits: told at once
    ],
)
def test_no_answer_but_the_service_s_own_makes_a_check_pass(
    run: Run, emulator: Emulator, fault: str, code: ExitCode
) -> None:
    emulator.fault(fault)
    assert run(QUIET).code == code


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("query:status=429,retry_after=1,first=1", ExitCode.DONE),
        ("query:status=503,first=1", ExitCode.DONE),
        ("query:status=503,retry_after=600", ExitCode.ERROR),
        ("query:status=401", ExitCode.ERROR),
    ],
)
def test_a_query_in_an_expectation_of_a_check_is_as_patient(
    run: Run, emulator: Emulator, fault: str, code: ExitCode
) -> None:
    emulator.fault(fault)
    done = run('  same: {data: bcm_alarms.firing, expect: {count: "${data.aom_alarms.firing | length}"}}\n')
    assert done.code == code, done
    assert ("data.aom_alarms.firing cannot be queried" in done.out) is (code is ExitCode.ERROR)


def test_a_canary_waits_for_a_busy_service_before_it_is_sent(run: Run, emulator: Emulator) -> None:
    emulator.fault("query:status=503,retry_after=1,first=1")
    assert run(PATH).code == ExitCode.DONE
    assert emulator.active_alarms() == []


@pytest.mark.parametrize("expect", ["{count: 0}", '{count: "${data.bcm_alarms.firing | length}"}'])
def test_a_missing_extra_is_told_with_how_to_get_it(run: Run, monkeypatch: pytest.MonkeyPatch, expect: str) -> None:
    monkeypatch.setitem(sys.modules, "baidubce.auth.bce_v1_signer", None)
    done = run(f"  quiet: {{data: bcm_alarms.firing, expect: {expect}}}\n" + CALM)
    assert done.code == ExitCode.ERROR
    assert "pip install 'alarm-reconciler[baidu]'" in " ".join(done.out.split())
    assert "passed      calm" in done.out


def test_a_failure_outweighs_what_could_not_be_asked_about() -> None:
    assert (
        check_exit_code({CheckStatus.FAILED: 1, CheckStatus.UNKNOWN: 1, CheckStatus.PASSED: 5}) is ExitCode.CHECK_FAILED
    )
    assert check_exit_code({CheckStatus.UNKNOWN: 1, CheckStatus.PASSED: 5}) is ExitCode.ERROR
    assert check_exit_code({CheckStatus.PASSED: 5}) is ExitCode.DONE
    assert check_exit_code({CheckStatus.FAILED: 1, CheckStatus.INTERRUPTED: 1}) is ExitCode.INTERRUPTED


def test_names_choose_the_checks(run: Run, emulator: Emulator) -> None:
    emulator.put_bcm_alarms(ALARM)
    done = run(QUIET + CALM, "calm")
    assert done.code == ExitCode.DONE
    assert "quiet" not in done.out
    assert emulator.requests("bcm-list") == []


def test_names_need_no_stack_where_it_is_here(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(QUIET + CALM)
    monkeypatch.chdir(tmp_path)
    done = reconciler("check", "calm")
    assert (done.code, "quiet" in done.out) == (ExitCode.DONE, False)
    missing = reconciler("check", "clam")
    assert missing.code == ExitCode.ERROR
    assert 'did you mean "calm"?' in missing.err
    assert "elsewhere.yaml" in reconciler("check", "elsewhere.yaml").err


def test_the_report_as_json(run: Run, emulator: Emulator) -> None:
    emulator.put_bcm_alarms(ALARM)
    report: dict[str, Any] = json.loads(run(QUIET + PATH, "--format", "json").out)
    assert (report["format_version"], report["stack"], report["passed"]) == ("1.1", "smoke", False)
    assert report["counts"] == {"passed": 1, "failed": 1, "unknown": 0, "interrupted": 0}
    quiet, path = report["checks"]
    assert (quiet["name"], quiet["verdict"], quiet["items"][0]["id"]) == ("quiet", "failed", "a1")
    assert path["visible_after_ms"] >= 0
    assert path["gone_after_ms"] >= 0


def test_the_report_as_markdown_lets_no_text_out_of_its_cell(run: Run, emulator: Emulator) -> None:
    emulator.put_bcm_alarms(ALARM)
    out = run(CALM + QUIET, "--format", "markdown").out
    rows = [line for line in out.splitlines() if line.startswith("|")]
    assert [row.split("|")[1].strip() for row in rows[2:]] == ["❌ failed", "✅ passed"]
    assert "disk &lt;full&gt; &amp; \\|busy\\|" in rows[2]


def test_the_report_as_junit_shows_failures_and_errors_apart(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    emulator.put_bcm_alarms({**ALARM, "policy": {"aliasName": "bell \x07 and ]]> and \ufffe"}})
    file = tmp_path / "reports" / "checks.xml"
    run(QUIET + CALM + PATH, "--junit", file, aom="http://127.0.0.1:9")
    suite = ElementTree.parse(file).getroot()[0]  # noqa: S314 - XML of ours
    assert {key: suite.get(key) for key in ("name", "tests", "failures", "errors", "skipped")} == {
        "name": "smoke",
        "tests": "3",
        "failures": "1",
        "errors": "2",
        "skipped": "0",
    }
    quiet, calm, path = suite.iter("testcase")
    [failure] = quiet
    assert (failure.tag, failure.get("type")) == ("failure", "expectation")
    assert "id a1" in (failure.text or "")
    assert [case[0].tag for case in (calm, path)] == ["error", "error"]
    assert quiet.get("line") == str(STACK.format(aom="", bcm="").count("\n") + 1)
    assert [each.name for each in file.parent.iterdir()] == ["checks.xml"]


def test_the_latencies_of_a_canary_are_properties(run: Run, tmp_path: Path) -> None:
    run(PATH, "--junit", tmp_path / "checks.xml")
    [case] = ElementTree.parse(tmp_path / "checks.xml").getroot().iter("testcase")  # noqa: S314 - XML of ours
    assert {each.get("name") for each in case.iter("property")} == {"visible_after_ms", "gone_after_ms"}


def test_no_secret_is_in_any_output(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    emulator.put_bcm_alarms({**ALARM, "policy": {"aliasName": "quotes the-s3cret-key and s3cr3t-t0ken"}})
    for form in ("text", "json", "markdown"):
        done = run(QUIET + PATH, "--format", form, "--junit", tmp_path / "checks.xml", "--log-level", "debug")
        for text in (done.out, done.err, (tmp_path / "checks.xml").read_text()):
            assert "the-s3cret-key" not in text
            assert "s3cr3t-t0ken" not in text


@pytest.mark.parametrize("emulator", [Settings(visible_after=1 * SECOND)], indirect=True)
def test_within_and_for_wait_for_what_shows_late(run: Run, emulator: Emulator) -> None:
    push = {
        "starts_at": emulator.now(),
        "timeout": 600_000,
        "metadata": {
            "event_name": "late",
            "event_severity": "Critical",
            "event_type": "alarm",
            "resource_provider": "x",
            "resource_type": "y",
            "resource_id": "z",
        },
    }
    answer = emulator.session.put(
        f"{emulator.url}/v2/p/push/events", json={"events": [push]}, headers={"X-Auth-Token": "t"}, timeout=10
    )
    assert answer.status_code == 204
    shows = "data: aom_alarms.firing, expect: {any: {event_name: late}}"
    done = run(f"  patient: {{{shows}, within: 20s, for: 1s}}\n  hasty: {{{shows}}}\n", "--format", "json")
    verdicts = {check["name"]: check["verdict"] for check in json.loads(done.out)["checks"]}
    assert verdicts == {"patient": "passed", "hasty": "failed"}
    assert done.code == ExitCode.CHECK_FAILED


def test_another_run_s_lease_keeps_a_canary_down_and_nothing_else(run: Run, tmp_path: Path) -> None:
    from contextlib import closing

    from reconciler.ledger.sqlite import open_ledger

    run(QUIET)
    with closing(open_ledger(tmp_path / ".reconciler" / "smoke.db")) as ledger:
        ledger.acquire("somebody", "elsewhere", 1, 4_000_000_000_000, 3_600_000)
        done = run(QUIET + PATH)
    assert done.code == ExitCode.ERROR
    assert "held by somebody on elsewhere" in done.out
    assert "✓ passed      quiet" in done.out


def test_a_stack_without_checks_lets_nothing_pass(run: Run) -> None:
    done = run("  {}\n")
    assert (done.code, done.out) == (ExitCode.ERROR, "")
    assert "the stack smoke declares no checks" in done.err
    assert "reconciler check DIR" in done.err


def test_validate_reads_the_checks_and_asks_nobody(run: Run, tmp_path: Path, emulator: Emulator) -> None:
    run(QUIET)
    emulator.forget_requests()
    assert reconciler("validate", tmp_path).code == ExitCode.DONE
    (tmp_path / "more.yaml").write_text("checks:\n  odd: {data: bcm_alarms.fring, expect: {count: 0}}\n")
    done = reconciler("validate", tmp_path)
    assert done.code == ExitCode.ERROR
    assert 'did you mean "bcm_alarms.firing"?' in done.err
    assert emulator.requests() == []
