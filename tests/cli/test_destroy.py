"""``reconciler destroy``: without data, and with a word on the other stacks of its ledger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run_cli import Done, reconciler
from tests.cli.stacks import write
from tests.emulator.handle import Emulator
from tests.ledger.conformance.conftest import SHARED


@pytest.fixture(params=["directory", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the ledgers of all stacks are."""
    return str(SHARED[request.param](tmp_path) if request.param in SHARED else tmp_path / "ledgers")


def _run(command: str, stack: Path, ledger: str, *options: str) -> Done:
    done = reconciler(command, stack, "--auto-approve", *options, env={"RECONCILER_LEDGER": ledger})
    assert done.code == 0, done.out + done.err
    return done


def test_destroy_tells_what_other_stacks_of_its_ledger_have_left(
    emulator: Emulator, tmp_path: Path, ledger: str
) -> None:
    stacks = {name: write(tmp_path / name, "a", "b", stack=name, endpoint=emulator.url) for name in ("one", "two")}
    for stack in stacks.values():
        _run("apply", stack, ledger)
    done = _run("destroy", stacks["one"], ledger)
    told = done.out[done.out.index("Destroy complete: ") :].splitlines()
    assert told[1] == "1 other stack of this ledger has something firing, as far as it knows:"
    assert told[2].startswith("  two: 2 alarms, aom_alarm.a and aom_alarm.b; over by ")
    shown = json.loads(_run("destroy", stacks["one"], ledger, "--format", "json").out)["other_stacks"]
    assert [(item["stack"], item["alarms"]) for item in shown["firing"]] == [("two", ["aom_alarm.a", "aom_alarm.b"])]
    assert "- `two`: 2 alarms" in _run("destroy", stacks["one"], ledger, "--format", "markdown").out
    last = _run("destroy", stacks["two"], ledger, "--format", "json")
    assert json.loads(last.out)["other_stacks"]["firing"] == []


def test_destroy_makes_no_query_of_data_and_clears_what_needs_it(emulator: Emulator, tmp_path: Path) -> None:
    stack = write(tmp_path / "stack", "a", endpoint=emulator.url)
    reconciler("apply", stack, "--auto-approve")
    file = stack / "stack.yaml"
    named = file.read_text().replace("r1", '"${data.aom_alarms.all | length | string}"')
    file.write_text(f"{named}data: {{aom_alarms: {{all: {{}}}}}}\n")
    emulator.forget_requests()
    done = reconciler("destroy", stack, "--auto-approve")
    assert done.out.endswith("Destroy complete: 1 cleared.\n"), done.out + done.err
    assert all("reconciler_stack" in json.dumps(query) for query in emulator.bodies("query"))
