"""``reconciler show`` of a past run; of a plan see ``test_plan``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run_cli import reconciler
from tests.cli.stacks import write


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    made = write(tmp_path / "stack", "one", "two")
    reconciler("apply", made, "--auto-approve")
    return made


def test_a_past_run_is_shown_by_its_id_in_every_format(stack: Path) -> None:
    (run,) = json.loads(reconciler("ledger", "list", stack, "--format", "json").out)["runs"]
    assert reconciler("show", run["id"][:8], stack).out == reconciler("ledger", "show", run["id"], stack).out
    document = json.loads(reconciler("show", run["id"], stack, "--format", "json").out)
    assert [operation["address"] for operation in document["operations"]] == ["aom_alarm.one", "aom_alarm.two"]
    shown = reconciler("show", run["id"], stack, "--format", "markdown").out
    assert shown.startswith(f"### Run `{run['id']}`\n\n**done: 2 operations, 2 done, 0 not done**\n")
    assert "| done | push | `aom_alarm.two` |" in shown


@pytest.mark.parametrize(
    ("what", "said"), [("0123456789abcdef0", "there is no run 0123456789abcdef0"), ("plan.json", "cannot read")]
)
def test_what_is_neither_a_plan_nor_a_run_is_an_error(stack: Path, what: str, said: str) -> None:
    done = reconciler("show", what, stack)
    assert done.code == 1
    assert said in done.err
