"""The mistakes of docs/troubleshooting.md, made one by one: each message says what is wrong, where, how to mend it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.cli.run_cli import reconciler

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ROWS = {
    mistake.strip(): (message.strip(), int(grade))
    for mistake, message, grade in re.findall(r"^\| (.+?) \| (.+?) \| (\d) \|$", PAGE, re.M)
}
ALARM = "event_severity: Info, resource_provider: ecs, resource_type: vm, resource_id: i"
STACK = """\
stack: mistakes
variables: {{region: {{default: x}}}}
providers:
  aom: {{endpoint: "{url}", project_id: p1, auth: {{token: token-of-mistakes}}}}
resources:
  aom_alarm:
    hot: {{{alarm}}}
"""
Act = Callable[[Path, str], list[str | Path]]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(Settings()) as url:
        yield url


def stack(directory: Path, url: str, *changes: tuple[str, str], more: str = "", alarm: str = ALARM) -> Path:
    text = STACK.format(url=url, alarm=alarm) + more
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (directory / "stack.yaml").write_text(text)
    return directory


def written(*changes: tuple[str, str], more: str = "", alarm: str = ALARM, command: str = "validate") -> Act:
    """A stack with something wrong in it."""
    return lambda directory, url: [*command.split(), stack(directory, url, *changes, more=more, alarm=alarm)]


def asked(*arguments: str) -> Act:
    """A sound stack, and something wrong with the command."""
    return lambda directory, url: [arguments[0], *arguments[1:], stack(directory, url)]


def plan_file(*edits: tuple[str, str], command: str = "apply") -> Act:
    """A saved plan that was edited."""

    def act(directory: Path, url: str) -> list[str | Path]:
        file = directory / "plan.json"
        assert reconciler("plan", stack(directory, url), "--out", file).code == 0
        text = file.read_text()
        for old, new in edits:
            assert old in text
            text = text.replace(old, new, 1)
        file.write_text(text)
        return [command, directory, file] if command == "apply" else [command, file]

    return act


def outdated(directory: Path, url: str) -> list[str | Path]:
    made = plan_file()(directory, url)
    stack(directory, url, alarm=ALARM.replace("Info", "Major"))
    return made


def taken(directory: Path, url: str) -> list[str | Path]:
    stack(directory, url)
    (directory / "other.yaml").write_text("stack: again\n")
    return ["validate", directory]


ALARMS = ALARM.replace("resource_id: i", 'resource_id: "i${each.key}"') + ', for_each: "${range(20) | list}"'
HOW = re.compile("hint:|write |at most|such as|needs")
MISTAKES: dict[str, Act] = {
    "The directory holds no stack": lambda directory, url: ["plan", directory],
    "`stack:` is missing": written(("stack: mistakes\n", "")),
    "A stack's name with capitals or `_`": written(("stack: mistakes", "stack: My_Stack")),
    "A bracket or quote is not closed": written(("i}", "i")),
    "A tab as indentation": written(("    hot", "\thot")),
    "A misspelt key": written(("event_severity", "event_sevrity")),
    "A value that is none of the choices": written(("Info", "Inf")),
    "A duration in words": written(alarm=f"{ALARM}, timeout: two hours"),
    "A timeout over the limit": written(alarm=f"{ALARM}, timeout: 20d"),
    "A number where text is meant (`0012`)": written(("resource_id: i", "resource_id: 0012")),
    "A field is missing": written(("event_severity: Info, ", "")),
    "A misspelt resource type": written(("aom_alarm:", "aom_alarms:")),
    "One key twice": written(more=f"    hot: {{{ALARM}}}\n"),
    "A variable that is not declared": written(("resource_id: i", 'resource_id: "${var.regon}"')),
    "A variable without a value": written(("{default: x}", "{}")),
    "`--var` for a variable that is not declared": asked("validate", "--var", "regin=x"),
    "`${` without `}`": written(("resource_id: i", 'resource_id: "${var.region"')),
    "`{{ x }}` or `$x` instead of `${x}`": written(("resource_id: i", 'resource_id: "{{ var.region }}"')),
    "`env` in a resource": written(("resource_id: i", 'resource_id: "${env.HOME}"')),
    "`for_each` of a number": written(alarm=f"for_each: 3, {ALARM}"),
    "`for_each` with one key twice": written(alarm=f"for_each: [a, a], {ALARM}"),
    "`depends_on` something that is not declared": written(alarm=f"{ALARM}, depends_on: [aom_alarm.cold]"),
    "A var-file that is not there": asked("validate", "--var-file", "nowhere.yaml"),
    "A misspelt command": lambda directory, url: ["paln"],
    "A misspelt option": asked("plan", "--detailed-exitcod"),
    "`--target` of no object": asked("plan", "--target", "aom_alarm.cold"),
    "`--target` that is no address": asked("plan", "--target", "hot"),
    "`apply` in a pipeline without approval": asked("apply"),
    "A plan file that is not there": lambda directory, url: ["apply", stack(directory, url), "gone.json"],
    "A plan file that was edited": plan_file(("Info", "Major")),
    "A plan that is out of date": outdated,
    "No emulator is running": lambda directory, url: ["plan", stack(directory, "http://127.0.0.1:1")],
    "A region that does not exist": lambda directory, url: [
        "plan",
        stack(directory, url, (f'endpoint: "{url}"', "region: xx-nowhere-9")),
    ],
    "An endpoint without `https://`": lambda directory, url: ["validate", stack(directory, "aom.example.com")],
    "White space at the end of a token": written(("token-of-mistakes", '"token-of-mistakes "')),
    "No credentials": written(("auth: {token: token-of-mistakes}", "auth: {}")),
    "A misspelt provider": written(("  aom:", "  aon:")),
    "More changes than `guards` allow": written(
        more="guards: {max_changes: 3}\n", alarm=ALARMS, command="apply --auto-approve"
    ),
    "`check` in a stack without checks": asked("check"),
    "A drill that is not declared": lambda directory, url: ["drill", "plan", "outage", stack(directory, url)],
    "No ledger here": asked("ledger", "list"),
}


@pytest.mark.parametrize("mistake", ROWS)
def test_a_likely_mistake_is_told_as_the_page_says(mistake: str, tmp_path: Path, url: str) -> None:
    message, grade = ROWS[mistake]
    done = reconciler(*MISTAKES[mistake](tmp_path, url), env={})
    assert done.code == ("warning:" not in done.err)
    assert message.lower() in done.err.lower()
    assert grade >= 2
    assert grade < 3 or HOW.search(done.err)
    assert "Input should" not in done.err
    assert "internal error" not in done.err


def test_every_mistake_of_the_page_is_made() -> None:
    assert ROWS.keys() == MISTAKES.keys()
    assert len(ROWS) > 40


FURTHER: dict[str, tuple[Act, str, str]] = {
    "a plan file of another program": (
        plan_file(('"format_version"', '"version"')),
        "format_version is missing",
        "plan --out",
    ),
    "a plan file that was cut short": (plan_file(("}", "")), "it is not JSON, or was cut short", "plan.json:"),
    "a text where a number is meant": (
        plan_file(('"planned_at": ', '"planned_at": "x",\n "x": ')),
        "planned_at must be an integer",
        "make a new one",
    ),
    "a plan that is shown and is none": (
        plan_file(('"create"', '"smash"'), command="show"),
        "action has an invalid value",
        "plan --out",
    ),
    "neither a file nor a run": (
        asked("show", "nosuchrun"),
        "nosuchrun is neither a file nor a run id",
        "ledger list",
    ),
    "a directory that is not there": (
        asked("plan", "--out", "gone/plan.json"),
        "there is no directory gone",
        "check the path",
    ),
    "a deadline without a unit": (
        asked("apply", "--auto-approve", "--deadline", "10"),
        "it has no unit",
        "write 10s, 10m",
    ),
    "a choice in a query": (
        written(more="data: {bcm_alarms: {now: {alarm_type: ALARM_TYPE_CLOD}}}\n"),
        'alarm_type: "ALARM_TYPE_CLOD" is not one of',
        'did you mean "ALARM_TYPE_CLOUD"?',
    ),
    "two stacks in one directory": (taken, "stack is given twice", "other.yaml:1:1"),
    "a seed that is not there": (
        lambda directory, url: ["emulator", "--seed", directory / "gone.yaml"],
        "cannot read the seed",
        "check the path",
    ),
    "a seed of another shape": (
        lambda directory, url: ["emulator", "--seed", stack(directory, url) / "stack.yaml"],
        "the seed has no",
        "docs/emulator.md",
    ),
}


@pytest.mark.parametrize("mistake", FURTHER)
def test_a_further_mistake_says_what_and_how(mistake: str, tmp_path: Path, url: str) -> None:
    act, what, how = FURTHER[mistake]
    done = reconciler(*act(tmp_path, url))
    assert done.code == 1
    assert what in done.err
    assert how in done.err
    assert done.out == ""


def test_a_file_of_variables_in_json_is_not_called_yaml(tmp_path: Path, url: str) -> None:
    file = tmp_path / "values.json"
    file.write_text('{"region": ')
    done = reconciler("validate", stack(tmp_path, url), "--var-file", file)
    assert "this is not valid JSON" in done.err
    file.write_text(json.dumps({"region": "\U0001f600"}))
    assert reconciler("validate", tmp_path, "--var-file", file).code == 0


def test_where_a_report_cannot_be_written_nothing_is_asked_before(tmp_path: Path, url: str) -> None:
    directory = stack(tmp_path, "http://127.0.0.1:1")
    for command in (["check", "--junit"], ["import", "--out"], ["plan", "--out"], ["drill", "report", "--html"]):
        done = reconciler(*command, tmp_path, *([] if command[0] == "drill" else [directory]))
        assert f"cannot write {tmp_path}: Is a directory" in done.err
