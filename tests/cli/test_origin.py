"""Who started a run, in every place that names a run."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from socket import gethostname

import pytest

from reconciler.ledger.sqlite import open_ledger
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write
from tests.core.test_origin import GITHUB

PIPELINE = "https://github.com/shop/alarms/actions/runs/77"
BY = {"user": "ada", "host": gethostname(), "pipeline": PIPELINE, "commit": "0123456789abcdef"}


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack that is applied in a pipeline."""
    for name in ("GITHUB_TRIGGERING_ACTOR", "RECONCILER_USER", "RECONCILER_PIPELINE", "RECONCILER_COMMIT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in GITHUB.items():
        monkeypatch.setenv(name, value)
    return write(tmp_path / "stack", "one")


def test_the_result_of_a_run_says_who_started_it_in_every_format(stack: Path) -> None:
    text = reconciler("apply", stack, "--auto-approve").out
    assert f" by ada on {gethostname()}, pipeline {PIPELINE}, commit 0123456789ab\nApply complete" in text
    document = json.loads(reconciler("destroy", stack, "--auto-approve", "--format", "json").out)
    assert document["by"] == BY
    markdown = reconciler("apply", stack, "--auto-approve", "--format", "markdown").out
    assert "by ada on " in markdown
    assert "https://" not in markdown  # an address from the environment is shown, never linked


def test_the_ledger_names_who_started_each_run(stack: Path) -> None:
    reconciler("apply", stack, "--auto-approve")
    assert f"ada on {gethostname()}, pipeline {PIPELINE}" in reconciler("ledger", "list", stack).out
    (run,) = json.loads(reconciler("ledger", "list", stack, "--format", "json").out)["runs"]
    assert run["by"] == BY
    shown = reconciler("ledger", "show", run["id"], stack).out
    assert f"by       ada on {gethostname()}\n  pipeline {PIPELINE}\n  commit   0123456789abcdef\n" in shown
    assert json.loads(reconciler("show", run["id"], stack, "--format", "json").out)["run"]["by"] == BY
    assert "By ada on " in reconciler("show", run["id"], stack, "--format", "markdown").out


def test_an_alarms_mark_leads_to_the_run_that_pushed_it(stack: Path) -> None:
    reconciler("apply", stack, "--auto-approve")
    (run,) = json.loads(reconciler("ledger", "list", stack, "--format", "json").out)["runs"]
    payload = json.loads(reconciler("ledger", "show", run["id"], stack, "--format", "json").out)["operations"][0]
    mark = json.loads(payload["payload"])["annotations"]["reconciler_run"]
    assert mark != run["id"]
    assert reconciler("ledger", "show", mark, stack).out == reconciler("ledger", "show", run["id"], stack).out
    assert reconciler("show", mark[:9], stack).out.startswith(f"Run {run['id']}")


def test_who_holds_the_lease_is_told_with_the_pipeline(stack: Path) -> None:
    with closing(open_ledger(stack / ".reconciler" / "tests.db")) as ledger:
        now = time.time_ns() // 1_000_000
        ledger.acquire("grace", "elsewhere", 4711, now, 600_000, pipeline="https://ci.example.com/9", commit="c0ffee")
    held = "grace on elsewhere (process 4711), pipeline https://ci.example.com/9, commit c0ffee"
    assert f"another run holds the lease on this stack: {held}" in reconciler("apply", stack, "--auto-approve").err
    listed = json.loads(reconciler("ledger", "list", stack, "--format", "json").out)["holder"]
    assert (listed["pipeline"], listed["commit"]) == ("https://ci.example.com/9", "c0ffee")
    assert f"Held by {held} since" in reconciler("ledger", "list", stack).out
    assert held in reconciler("ledger", "unlock", stack).err
