"""The report of a fleet in each format, and its status from the ledgers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import fromstring

from jsonschema_rs import Draft202012Validator

from reconciler.app.unit import Unit, UnitChange, UnitKind, UnitResult, UnitState
from reconciler.core.action import Action
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.duration import MINUTE
from reconciler.core.exit_code import ExitCode, worst
from reconciler.fleet.report import FleetReport, WaveReport
from reconciler.views.junit.fleet import fleet_junit
from reconciler.views.markdown.fleet import fleet_markdown
from reconciler.views.phrases.fleet import unit_summary
from reconciler.views.text.fleet import fleet_lines
from reconciler.views.text.line import plain
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write, write_fleet
from tests.emulator.handle import Emulator
from tests.fleet.fleets import ONE, by_name, fleet_json
from tests.ledger.conformance.conftest import SHARED
from tests.servers.ports import free_port

SCHEMA = Path(__file__).parents[2] / "schema/fleet-output.schema.json"


def result(number: int, counts: Mapping[str, int], *problems: str) -> UnitResult:
    return UnitResult(
        Unit(UnitKind.PLAN, f"stacks/{number:03}"),
        UnitState.FAILED if problems else UnitState.DONE,
        ExitCode.ERROR if problems else ExitCode.CHANGES if counts else ExitCode.DONE,
        f"s{number}",
        counts,
        changes=tuple(
            UnitChange(Action(action), f"aom_alarm.x[{each}]", "not firing yet")
            for action, many in counts.items()
            for each in range(min(many, 20))
        ),
        diagnostics=tuple(map(Diagnostic, problems)),
        started_at=1_000,
        ended_at=2_500,
    )


def report(*results: UnitResult) -> FleetReport:
    return FleetReport("shop", UnitKind.PLAN, (WaveReport("", results),), 0, 5_000, "ann on ci")


def test_many_quiet_stacks_hide_no_red_one() -> None:
    found = report(*(result(number, {}) for number in range(199)), result(199, {}, "the stack is broken"))
    text = plain(fleet_lines(found))
    assert "stacks/199  failed  2s    the stack is broken" in text
    assert "199 stacks with nothing to report  (--full shows all)" in text
    assert text.endswith("200 stacks: 199 planned (no changes), 1 failed.\n")
    assert len(text.splitlines()) < 12
    assert "stacks/007" in plain(fleet_lines(found, full=True))


def test_markdown_fits_a_comment_and_begins_with_what_failed() -> None:
    many = [result(number, {"create": 20}) for number in range(400)]
    text = fleet_markdown(report(*many, result(400, {}, "broken")))
    assert len(text) <= 65_536
    assert text.splitlines()[2] == "**401 stacks: 400 planned \\(8,000 to create\\), 1 failed.**"
    assert text.index("stacks/400") < text.index("stacks/000")
    assert "more stacks left out: this comment cannot hold them." in text
    short = fleet_markdown(report(*many), limit=3_000)
    assert len(short) <= 3_000


def test_a_reason_of_several_lines_is_one_line_of_each_report() -> None:
    found = report(result(1, {}, "no connection\nrequest: GET http://a"))
    assert "| no connection |" in fleet_markdown(found)
    error = fromstring(fleet_junit(found, str)).find(".//testcase/error")  # noqa: S314 - our own
    assert error is not None
    assert (error.get("message"), error.text) == ("no connection", "no connection\nrequest: GET http://a")
    assert unit_summary(found.results[0]) == "no connection"


def test_the_exit_code_is_the_worst_of_all() -> None:
    codes = [ExitCode.DONE, ExitCode.CHANGES, ExitCode.CHECK_FAILED, ExitCode.LEASE_HELD, ExitCode.ERROR]
    for number, code in enumerate([*codes, ExitCode.PARTIAL, ExitCode.INTERRUPTED], 1):
        assert worst([*codes, ExitCode.PARTIAL, ExitCode.INTERRUPTED][:number]) is code
    changed = report(result(0, {}), result(1, {"create": 1}))
    assert changed.exit_code() is ExitCode.DONE
    assert changed.exit_code(detailed=True) is ExitCode.CHANGES


def test_every_command_answers_with_a_document_of_its_schema(tmp_path: Path, emulator: Emulator) -> None:
    check = "data: {aom_alarms: {all: {}}}\nchecks: {quiet: {data: aom_alarms.all, expect: {count: 0}}}\n"
    root = write_fleet(tmp_path, emulator.url, "a", "b")
    (root / "stacks/a/checks.yaml").write_text(check)
    validator = Draft202012Validator(json.loads(SCHEMA.read_text()))
    codes = {}
    for command in ("plan", "apply", "drift", "check", "status"):
        more = ["--auto-approve"] if command == "apply" else []
        done, found = fleet_json(command, root, *more)
        assert not list(validator.iter_errors(found))
        assert found["command"] == command
        codes[command] = done.code
    assert codes == {"plan": 0, "apply": 0, "drift": 0, "check": 3, "status": 0}


def test_a_fleet_of_which_no_stack_has_checks_does_not_pass(tmp_path: Path, emulator: Emulator) -> None:
    done = reconciler("fleet", "check", *ONE, write_fleet(tmp_path, emulator.url, "a", "b"))
    assert done.code == 1
    assert done.out.endswith("2 stacks: none has checks to pass.\n")


def test_a_stack_without_checks_is_not_counted_as_passed(tmp_path: Path, emulator: Emulator) -> None:
    check = "data: {aom_alarms: {all: {}}}\nchecks: {any: {data: aom_alarms.all, expect: {count: {at_least: 0}}}}\n"
    root = write_fleet(tmp_path, emulator.url, "a", "b")
    (root / "stacks/a/checks.yaml").write_text(check)
    done = reconciler("fleet", "check", *ONE, root)
    assert (done.code, done.out.splitlines()[-1]) == (0, "2 stacks: 1 passed, 1 without checks.")


def test_junit_has_a_case_for_each_stack(tmp_path: Path, emulator: Emulator) -> None:
    root = write_fleet(tmp_path, emulator.url, "a", "b", "bad")
    (root / "stacks/bad/stack.yaml").write_text("stack: [\n")
    done = reconciler("fleet", "plan", *ONE, root, "--detailed-exitcode", "--format", "junit")
    suites = fromstring(done.out)  # noqa: S314 - our own
    assert {name: suites.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "3",
        "failures": "2",
        "errors": "1",
    }
    error = suites.find(".//testcase/error")
    assert error is not None
    assert "stack.yaml" not in (error.get("message") or "")
    assert done.code == 1


def test_junit_skips_a_stack_without_checks(tmp_path: Path, emulator: Emulator) -> None:
    root = write_fleet(tmp_path, emulator.url, "a")
    done = reconciler("fleet", "check", *ONE, root, "--format", "junit")
    assert done.code == 1
    assert '<skipped message="no checks"' in done.out


def test_drift_is_told_for_each_stack_and_other_changes_are_counted(tmp_path: Path, emulator: Emulator) -> None:
    root = write_fleet(tmp_path, emulator.url, "a", "b")
    assert reconciler("apply", root / "stacks/a", "--auto-approve").code == 0
    emulator.advance(45 * MINUTE)
    done, found = fleet_json("drift", root, "--detailed-exitcode")
    assert by_name(found, "summary") == {"a": "1 to create", "b": "no drift; 1 other change due"}
    assert by_name(found, "drift") == {"a": 1, "b": 0}
    assert done.code == 2


def test_status_tells_what_was_last_done_with_each_stack_and_by_whom(tmp_path: Path, emulator: Emulator) -> None:
    root = write_fleet(tmp_path, emulator.url, "a", "b")
    who = {"RECONCILER_USER": "ann"}
    assert reconciler("fleet", "plan", *ONE, root, env=who).code == 0
    assert reconciler("fleet", "apply", *ONE, root / "stacks/a", "--auto-approve", env=who).code == 0
    assert reconciler("fleet", "drift", *ONE, root, env={"RECONCILER_USER": "bob"}).code == 0
    emulator.forget_requests()
    _, found = fleet_json("status", root)
    assert emulator.requests() == []
    known = by_name(found, "activities")
    assert {name: sorted(kinds) for name, kinds in known.items()} == {
        "a": ["apply", "drift", "plan"],
        "b": ["drift", "plan"],
    }
    assert known["a"]["plan"]["counts"] == {"create": 1}
    assert [known["a"][kind]["by"].split()[0] for kind in ("plan", "apply", "drift")] == ["ann", "ann", "bob"]
    text = reconciler("fleet", "status", *ONE, root).out
    assert "1 to create" in text
    assert "done" in text


def test_status_knows_an_apply_that_found_nothing_to_do(tmp_path: Path, emulator: Emulator) -> None:
    root = write_fleet(tmp_path, emulator.url, "a")
    for user in ("ann", "bob"):
        done = reconciler("fleet", "apply", *ONE, root, "--auto-approve", env={"RECONCILER_USER": user})
        assert done.code == 0
    _, found = fleet_json("status", root)
    assert by_name(found, "activities")["a"]["apply"]["by"].split()[0] == "bob"
    assert by_name(found, "summary") == {"a": "apply: no changes"}


def test_status_tells_that_the_last_of_each_command_failed(tmp_path: Path, emulator: Emulator) -> None:
    root = write_fleet(tmp_path, emulator.url, "a", "b")
    for command in (["plan"], ["drift"], ["apply", "--auto-approve"]):
        assert reconciler("fleet", command[0], *ONE, root, *command[1:]).code == 0
    write(root / "stacks/a", "a", "new", stack="a", endpoint=f"http://127.0.0.1:{free_port()}")
    for command in (["plan"], ["drift"], ["apply", "--auto-approve"]):
        assert reconciler("fleet", command[0], *ONE, root, *command[1:]).code == 1
    _, found = fleet_json("status", root)
    assert by_name(found, "summary") == {
        "a": "plan: failed, apply: failed, drift: failed",
        "b": "plan: no changes, apply: no changes, drift: no drift",
    }


def test_with_a_shared_ledger_status_knows_what_another_machine_did(tmp_path: Path, emulator: Emulator) -> None:
    environ = {"FLEET_LEDGER": str(SHARED["postgres"](tmp_path)), "RECONCILER_USER": "ann"}
    one = write_fleet(tmp_path / "one", emulator.url, "a", "b", file='ledger: "${env.FLEET_LEDGER}"\n')
    other = shutil.copytree(one, tmp_path / "other")
    for command in (["plan"], ["apply", "--auto-approve"], ["drift"]):
        done, _ = fleet_json(command[0], one, *command[1:], env=environ)
        assert done.code == 0
    _, found = fleet_json("status", other, env={**environ, "RECONCILER_USER": "bob"})
    for known in by_name(found, "activities").values():
        assert sorted(known) == ["apply", "drift", "plan"]
        assert {activity["by"].split()[0] for activity in known.values()} == {"ann"}
    assert not (one / "stacks/a/.reconciler").exists()
