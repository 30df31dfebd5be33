"""Guards as a user meets them: in per cent, by type and by endpoint, in plans and applies, with and without --force."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run_cli import Done, reconciler
from tests.cli.stacks import write
from tests.emulator.handle import Emulator

EIGHT, TEN = ([f"a{number}" for number in range(count)] for count in (8, 10))


def _write(directory: Path, names: list[str], emulator: Emulator, guards: str = "") -> Path:
    return write(directory, *names, endpoint=emulator.url, more=f"guards: {guards}\n" if guards else "")


def _apply(stack: Path, *options: str) -> Done:
    return reconciler("apply", stack, "--auto-approve", *options)


@pytest.mark.parametrize(
    ("guards", "names", "said"),
    [
        ("{max_clears: 20%}", EIGHT[:6], "clears 2 alarms, and guards.max_clears allows 20% of the stack's 8 alarms"),
        (
            "{max_changes: 25%}",
            [*EIGHT[:6], "new"],
            "makes 3 changes, and guards.max_changes allows 25% of the stack's 9 alarms, which is 2",
        ),
        (
            "{types: {aom_alarm: {max_clears: 1}}}",
            EIGHT[:6],
            "clears 2 alarms of type aom_alarm, and guards.types.aom_alarm.max_clears allows 1",
        ),
        (
            "{types: {aom_alarm: {max_changes: 10%}}}",
            EIGHT[:7],
            "guards.types.aom_alarm.max_changes allows 10% of its 8 alarms of type aom_alarm, which is 0",
        ),
        ('{endpoints: ["https://aom.example.com"]}', EIGHT[:7], "and guards.endpoints allows https://aom.example.com"),
    ],
    ids=["clears-per-cent", "changes-per-cent", "clears-of-a-type", "changes-of-a-type", "endpoints"],
)
def test_a_plan_past_a_guard_is_refused_until_it_is_forced(
    guards: str, names: list[str], said: str, emulator: Emulator, tmp_path: Path
) -> None:
    assert _apply(_write(tmp_path / "stack", EIGHT, emulator)).code == 0
    stack = _write(tmp_path / "stack", names, emulator, guards)
    saved = tmp_path / "plan.json"
    planned = reconciler("plan", stack, "--out", saved)
    assert planned.code == 0
    assert f"warning: {'provider aom points at' if 'points' in said else ''}" in planned.err
    assert said in planned.err
    assert said not in reconciler("plan", stack, "--force").err
    emulator.forget_requests()
    for refused in (_apply(stack), reconciler("apply", stack, saved)):
        assert refused.code == 1
        assert said in refused.err
        assert "add --force" in refused.err
    told = json.loads(_apply(stack, "--format", "json").out)["diagnostics"]
    assert [said in item["summary"] for item in told] == [True]
    assert emulator.requests("push") == emulator.requests("clear") == []
    assert reconciler("apply", stack, saved, "--force").code == 0
    assert len(emulator.active_alarms()) == len(names)


def test_without_guards_a_stack_of_ten_does_not_lose_more_than_half(emulator: Emulator, tmp_path: Path) -> None:
    stack = _write(tmp_path / "stack", TEN, emulator)
    _apply(stack)
    _write(tmp_path / "stack", TEN[:4], emulator)
    refused = _apply(stack)
    assert refused.code == 1
    assert "clears 6 of the stack's 10 alarms; more than half needs --force or guards.max_clears" in refused.err
    assert _apply(stack, "--force").out.endswith("Apply complete: 6 cleared.\n")


def test_a_guard_that_is_written_holds_for_destroy_and_the_default_does_not(emulator: Emulator, tmp_path: Path) -> None:
    _apply(_write(tmp_path / "stack", TEN, emulator))
    stack = _write(tmp_path / "stack", TEN, emulator, "{max_clears: 50%}")
    refused = reconciler("destroy", stack, "--auto-approve")
    assert refused.code == 1
    assert "guards.max_clears allows 50% of the stack's 10 alarms, which is 5" in refused.err
    _write(tmp_path / "stack", TEN, emulator)
    assert reconciler("destroy", stack, "--auto-approve").out.endswith("Destroy complete: 10 cleared.\n")
