"""``reconciler status``."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from socket import gethostname

import pytest

from reconciler.app.ledger import owner
from reconciler.core.duration import MINUTE
from reconciler.ledger.sqlite import open_ledger
from tests.cli.process import read_until
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write
from tests.emulator.handle import Emulator
from tests.views.test_schema import check as check_schema

WHO = f"{owner().name} on {gethostname()}"


@pytest.fixture
def stack(tmp_path: Path, emulator: Emulator) -> Path:
    """A stack of two alarms, of which one fires."""
    made = write(tmp_path / "stack", "one", endpoint=emulator.url)
    assert reconciler("apply", made, "--auto-approve").code == 0
    return write(made, "one", "two", endpoint=emulator.url)


def row(stack: Path, address: str) -> str:
    done = reconciler("status", stack)
    assert done.code == 0, done.err
    return next(line for line in done.out.splitlines() if line.startswith(f"{address} "))


def runs(stack: Path) -> list[dict[str, str]]:
    return list(json.loads(reconciler("ledger", "list", stack, "--format", "json").out)["runs"])


def test_a_firing_alarm_is_shown_with_its_times_and_who_raised_it(stack: Path) -> None:
    (run,) = runs(stack)
    times = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    expected = rf"aom_alarm.one  firing      {times}  {times} \(\S+ left\)  {re.escape(WHO)}, run {run['id'][:8]}"
    assert re.fullmatch(expected, row(stack, "aom_alarm.one"))


def test_an_alarm_that_should_fire_and_does_not_is_shown_with_the_reason(stack: Path) -> None:
    assert row(stack, "aom_alarm.two").split() == ["aom_alarm.two", "not", "firing", "not", "firing", "yet"]
    assert reconciler("status", stack).out.endswith("\n\n1 alarm fires (2 declared), no drift.\n")


def test_drift_stands_beside_the_alarm(stack: Path, emulator: Emulator) -> None:
    emulator.advance(45 * MINUTE)
    assert "not firing  drift: expired at " in row(stack, "aom_alarm.one")
    assert reconciler("status", stack).out.endswith("\n0 alarms fire (2 declared), 1 drifted.\n")


def test_an_alarm_that_is_declared_no_longer_is_shown_with_what_apply_would_do(stack: Path, emulator: Emulator) -> None:
    write(stack, "two", endpoint=emulator.url)
    assert row(stack, "aom_alarm.one").endswith("  no longer in the configuration")


def test_an_alarm_of_a_run_that_this_ledger_does_not_know_names_its_plan(stack: Path) -> None:
    (run,) = runs(stack)
    shutil.rmtree(stack / ".reconciler")
    assert row(stack, "aom_alarm.one").endswith(f"  unknown, plan {run['plan_id'][:8]}")
    assert not (stack / ".reconciler" / "tests.db").exists()


def test_of_several_runs_of_one_plan_the_one_that_pushed_the_alarm_is_named(tmp_path: Path, emulator: Emulator) -> None:
    made = write(tmp_path / "stack", "one", "two", endpoint=emulator.url)
    text = (made / "stack.yaml").read_text()
    (made / "stack.yaml").write_text(text.replace("project_id:", "batch_size: 1, parallelism: 1, project_id:"))
    plan = tmp_path / "plan.json"
    assert reconciler("plan", made, "--out", plan).code == 0
    emulator.fault("push:status=400,nth=2")
    assert reconciler("apply", made, plan).code == 4
    assert reconciler("apply", made, plan).code == 0
    second, first = (
        run["id"][:8] for run in json.loads(reconciler("ledger", "list", made, "--format", "json").out)["runs"]
    )
    assert row(made, "aom_alarm.one").endswith(f", run {first}")
    assert row(made, "aom_alarm.two").endswith(f", run {second}")


def test_who_holds_the_lease_is_shown(stack: Path) -> None:
    with closing(open_ledger(stack / ".reconciler" / "tests.db")) as ledger:
        ledger.acquire("grace", gethostname(), os.getpid(), 1, 10**14)
    assert f"Held by grace on {gethostname()} (process {os.getpid()})" in reconciler("status", stack).out
    assert json.loads(reconciler("status", stack, "--format", "json").out)["holder"]["by"]["user"] == "grace"


def test_the_document_is_what_its_schema_says(stack: Path) -> None:
    document = json.loads(reconciler("status", stack, "--format", "json").out)
    check_schema("status-output", document)
    assert (document["firing"], document["not_firing"], document["drift"]) == (1, 1, 0)
    one, two = document["alarms"]
    assert (one["state"], one["severity"], one["by"]["host"]) == ("firing", "Major", gethostname())
    assert (two["state"], two["run"], two["reason"]) == ("not firing", None, "not firing yet")


def test_markdown_has_a_row_for_each_alarm(stack: Path) -> None:
    shown = reconciler("status", stack, "--format", "markdown").out
    assert shown.startswith("### Status of `tests`\n\n**1 alarm fires \\(2 declared\\), no drift.**\n")
    assert "\n| `aom_alarm.two` | not firing |  |  |  | not firing yet |\n" in shown


def test_every_needs_watch_and_a_duration(stack: Path) -> None:
    assert "--every is for --watch" in reconciler("status", stack, "--every", "5s").err
    assert "--every: 'often' is not a duration" in reconciler("status", stack, "--watch", "--every", "often").err
    assert "--every must be longer than 0s" in reconciler("status", stack, "--watch", "--every", "0s").err


@contextmanager
def watching(stack: Path, stdout: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """``status --watch`` as a process that Ctrl-C reaches."""
    command = [sys.executable, "-m", "reconciler", "status", str(stack), "--watch", "--every", "100ms", *options]
    process = subprocess.Popen(  # noqa: S603 - a command of ours
        command,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TERM": "xterm"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_without_a_terminal_a_watch_prints_blocks_until_it_is_interrupted(stack: Path) -> None:
    with watching(stack, subprocess.PIPE) as process:
        read_until(process.stdout, "Stack tests at ")
        read_until(process.stdout, "Stack tests at ")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_a_watch_outlives_a_query_that_fails(stack: Path, emulator: Emulator) -> None:
    with watching(stack, subprocess.PIPE, "--format", "json") as process:
        read_until(process.stdout, '"warnings"')
        emulator.fault("query:status=401")
        read_until(process.stderr, "error: ")
        emulator.clear_faults()
        read_until(process.stdout, '"format_version"')
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_on_a_terminal_a_watch_paints_over_what_it_showed(stack: Path) -> None:
    parent, child = pty.openpty()
    with watching(stack, child) as process:
        os.close(child)
        shown = b""
        while shown.count(b"\x1b[H\x1b[2J") < 3:
            shown += os.read(parent, 65_536)
        process.send_signal(signal.SIGINT)
        with suppress(OSError):  # how the other end of a terminal that nobody holds any more is read
            while os.read(parent, 65_536):  # a full terminal would hold up the watch
                pass
        process.wait(timeout=60)
    os.close(parent)
    assert process.returncode == 0
    assert b"aom_alarm.one" in shown
