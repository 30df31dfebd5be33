"""A run that is stopped and continued (SIGSTOP, SIGCONT) sends nothing once somebody else may send."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.emulator.settings import Settings
from reconciler.ledger.sqlite import read_ledger
from tests.cli.process import reconciler
from tests.emulator.handle import Emulator

LEASE = 3_000
_SHORT = f"""
import runpy
from reconciler.apply import lease
lease.LIFETIME = {LEASE}
runpy.run_module("reconciler", run_name="__main__", alter_sys=True)
"""
COUNT = {1: 40, 100: 220}

STACK = """\
stack: shop
providers:
  aom:
    endpoint: "{url}"
    project_id: p1
    batch_size: {batch_size}
    parallelism: {parallelism}
    visible_within: 1s
    request_timeout: 3s
    auth: {{token: s3cr3t-t0ken}}
resources:
  aom_{kind}:
    item:
      for_each: "${{range({count})}}"
      event_name: "item-${{each.key}}"
      {field}
      resource_provider: ecs
      resource_type: vm
      resource_id: "r${{each.key}}"
      event_severity: Info
"""


def stop_while_waiting(process: subprocess.Popen[str], emulator: Emulator, path: Path) -> None:
    """Stop a run while all that it has begun is at the service, and the answers are not."""
    while True:
        assert process.poll() is None, process.communicate()
        if emulator.requests("push"):
            process.send_signal(signal.SIGSTOP)
            with closing(read_ledger(path)) as ledger:
                begun = set(ledger.in_flight(0))
            if begun and begun <= set(sent_keys(emulator)) and not is_writing(path):
                return
            process.send_signal(signal.SIGCONT)
        time.sleep(0.05)


def is_writing(path: Path) -> bool:
    """Whether somebody is in the middle of a write; stopped there, a run would keep all others from the ledger."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as ledger:
        try:
            ledger.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        ledger.execute("ROLLBACK")
    return False


def sent_keys(emulator: Emulator) -> list[str]:
    return [item["annotations"]["reconciler_key"] for body in emulator.bodies("push") for item in body["events"]]


@pytest.mark.parametrize("emulator", [Settings(on_repeat="duplicate")], indirect=True)
@pytest.mark.parametrize(
    ("kind", "batch_size", "parallelism", "move"),
    [
        ("event", 1, 32, "unlock"),
        ("event", 100, 1, "lapse"),
        ("alarm", 1, 1, "lapse"),
        ("alarm", 100, 1, "unlock"),
    ],
)
def test_a_run_that_slept_while_its_fence_moved_sends_nothing_more(
    emulator: Emulator, tmp_path: Path, kind: str, batch_size: int, parallelism: int, move: str
) -> None:
    count = COUNT[batch_size]
    field = "occurrence: v1" if kind == "event" else "timeout: 30m"
    text = STACK.format(
        url=emulator.url, kind=kind, count=count, field=field, batch_size=batch_size, parallelism=parallelism
    )
    (tmp_path / "stack.yaml").write_text(text)
    emulator.fault("push:delay=2s")
    command = ["apply", str(tmp_path), "--auto-approve"]
    with subprocess.Popen(  # noqa: S603 - a command of ours
        [sys.executable, "-c", _SHORT, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as first:
        try:
            stop_while_waiting(first, emulator, tmp_path / ".reconciler" / "shop.db")
            emulator.clear_faults()
            if move == "unlock":
                assert reconciler("ledger", "unlock", tmp_path, "--yes").returncode == 0
            else:
                time.sleep(LEASE / 1000)
            second = reconciler(*command)
            assert second.returncode == 0, second.stderr
            sent = sent_keys(emulator)
            assert len(sent) >= count
        finally:
            first.send_signal(signal.SIGCONT)
        _, err = first.communicate(timeout=60)
    assert first.returncode != 0, err
    assert "Traceback" not in err
    assert sent_keys(emulator) == sent
    names = [item["metadata"]["reconciler_address"] for item in emulator.alarms()]
    if kind == "event":
        assert len(names) == len(set(names)) == count
