"""``reconciler ledger``."""

from __future__ import annotations

import io
import json
import os
from contextlib import closing
from pathlib import Path
from socket import gethostname

import pytest

from reconciler.cli.app import run as command
from reconciler.cli.terminal import Terminal
from reconciler.core.operation import Outcome, ServiceErrorDetail, Status
from reconciler.ledger.protocol import RunState
from reconciler.ledger.sqlite import open_ledger
from tests.cli.process import reconciler
from tests.cli.run_cli import reconciler as inside
from tests.cli.stacks import write
from tests.emulator.handle import Emulator
from tests.ledger.samples import NOW, operations, run

FAR = 10**13
HERE = os.getpid()


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A directory whose ledger knows a run that ended in part, and one that is running."""
    ledger = open_ledger(tmp_path / ".reconciler" / "shop.db")
    holder = ledger.acquire("ci-17", gethostname(), HERE, NOW, FAR)
    ledger.begin(holder, run("4711aa"))
    ledger.record_intents(holder, "4711aa", operations("a", "b", "c"), NOW)
    ledger.record_outcomes([Outcome("a", Status.DONE, id="svc-1")], NOW)
    ledger.record_outcomes([Outcome("b", Status.FAILED, ServiceErrorDetail("bad\x1b[31m level", 400, "AOM.0402"))], NOW)
    ledger.end("4711aa", RunState.PARTIAL, NOW + 1_000)
    ledger.begin(holder, run("0815bb"))
    ledger.close()
    return tmp_path


def test_runs_are_listed_newest_first_with_the_holder_of_the_lease(stack: Path) -> None:
    done = reconciler("ledger", "list", cwd=stack)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1].split()[:2] == ["0815bb", "running"]
    assert lines[2].split() == ["4711aa", "partial", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "apply"]
    assert f"Held by ci-17 on {gethostname()} (process {HERE})" in done.stdout


def test_runs_as_json(stack: Path) -> None:
    listed = json.loads(reconciler("ledger", "list", "--format", "json", stack).stdout)
    assert [(found["id"], found["state"]) for found in listed["runs"]] == [("0815bb", "running"), ("4711aa", "partial")]
    assert listed["holder"]["owner"] == "ci-17"


def test_a_run_without_its_process_is_shown_as_died(stack: Path) -> None:
    open_ledger(stack / ".reconciler" / "shop.db").unlock()
    assert "0815bb  died" in reconciler("ledger", "list", stack / "stack.yaml").stdout


def test_a_run_is_shown_with_the_answer_to_each_operation(stack: Path) -> None:
    done = reconciler("ledger", "show", "47", stack)
    assert done.returncode == 0, done.stderr
    assert [line.split()[:3] for line in done.stdout.splitlines() if "cpu" in line] == [
        ["done", "push", 'aom_alarm.cpu["a"]'],
        ["failed", "push", 'aom_alarm.cpu["b"]'],
        ["open", "push", 'aom_alarm.cpu["c"]'],
    ]
    assert "400 AOM.0402: bad\\x1b[31m level" in done.stdout
    assert "3 operations, 1 done, 2 not done." in done.stdout


def test_a_run_as_json_has_every_payload(stack: Path) -> None:
    shown = json.loads(reconciler("ledger", "show", "4711aa", "--format", "json", cwd=stack).stdout)
    assert [entry["status"] for entry in shown["operations"]] == ["done", "failed", None]
    assert json.loads(shown["operations"][0]["payload"]) == {"event": "a"}
    assert shown["operations"][0]["id"] == "svc-1"


def test_an_unknown_run_is_an_error_that_says_where_to_look(stack: Path) -> None:
    done = reconciler("ledger", "show", "99", stack)
    assert done.returncode == 1
    assert "there is no run 99" in done.stderr
    assert "ledger list" in done.stderr


def test_without_a_ledger_the_directory_is_named(tmp_path: Path) -> None:
    done = reconciler("ledger", "list", tmp_path)
    assert done.returncode == 1
    assert str(tmp_path / ".reconciler") in done.stderr
    assert not (tmp_path / ".reconciler").exists()


def test_of_several_stacks_one_is_chosen_by_name_or_by_file(stack: Path) -> None:
    other = stack / ".reconciler" / "other.db"
    open_ledger(other).close()
    assert "--stack: other, shop" in reconciler("ledger", "list", stack).stderr
    for choice in ((stack, "--stack", "other"), (other,)):
        assert reconciler("ledger", "list", *choice).stdout == "No run yet.\n"


def test_unlock_does_not_break_a_lease_unless_it_is_told_to(stack: Path) -> None:
    refused = reconciler("ledger", "unlock", stack)
    assert refused.returncode == 1
    assert "Held by ci-17" in refused.stderr
    assert "--yes" in refused.stderr
    done = reconciler("ledger", "unlock", stack, "--yes")
    assert done.returncode == 0
    assert "Broke the lease of ci-17" in done.stdout
    assert reconciler("ledger", "unlock", stack, "--yes").stdout == "Nothing was unlocked.\n"


class Keyboard(io.StringIO):
    """What somebody at a terminal types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code", "broken"), [("yes\n", 0, True), ("y\n", 1, False), ("", 1, False)])
def test_unlock_asks_and_takes_only_yes_for_it(stack: Path, answer: str, code: int, broken: bool) -> None:
    out, err = io.StringIO(), io.StringIO()
    assert command(["ledger", "unlock", str(stack)], Terminal(Keyboard(answer), out, err, {})) == code
    assert "Held by ci-17" in err.getvalue()
    assert ("Broke" in out.getvalue()) is broken
    assert (open_ledger(stack / ".reconciler" / "shop.db").holder(NOW) is None) is broken


def test_two_checkouts_share_the_ledger_that_both_name(emulator: Emulator, tmp_path: Path) -> None:
    more = "ledger: ../state/ledgers\n"
    first, second = (write(tmp_path / name, "a", endpoint=emulator.url, more=more) for name in ("one", "two"))
    assert inside("apply", first, "--auto-approve").code == 0
    file = tmp_path / "state" / "ledgers" / "tests.db"
    assert file.is_file()
    assert not (first / ".reconciler").exists()
    with closing(open_ledger(file)) as ledger:
        ledger.acquire("ci-17", gethostname(), HERE, NOW, FAR)
        refused = inside("apply", second, "--auto-approve")
    assert refused.code == 5
    assert "ci-17" in refused.err
    assert "apply" in inside("ledger", "list", file).out
