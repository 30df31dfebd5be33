"""A ledger that fills its disk in the middle of a run, at the most various places: the summary says what was done."""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.run_cli import reconciler
from tests.emulator.handle import Emulator

COUNT = 60
LIMITS = (60_000, 100_000, 140_000, 200_000, 4_000_000)
STACK = """\
stack: full
guards: {{max_changes: 100%, max_clears: 100%}}
providers:
  aom: {{endpoint: "{url}", project_id: p1, auth: {{token: token-of-full}}, batch_size: 4, parallelism: 2}}
resources:
  aom_alarm:
    a: {{for_each: "${{range({count}) | list}}", event_severity: {severity}, resource_provider: ecs, resource_type: vm,
      resource_id: "i${{each.key}}", annotations: {{message: "{filling}"}}}}
"""


def write(directory: Path, url: str, severity: str = "Info") -> Path:
    directory.mkdir(exist_ok=True)
    text = STACK.format(url=url, count=COUNT, severity=severity, filling="x" * 800)
    (directory / "stack.yaml").write_text(text)
    return directory


@pytest.mark.parametrize("command", ["apply", "replace", "destroy"])
def test_a_run_whose_ledger_is_full_says_what_it_did_and_exits_with_4(
    emulator: Emulator, tmp_path: Path, command: str
) -> None:
    codes = []
    for limit in LIMITS:
        emulator.reset()
        shutil.rmtree(tmp_path / "stack", ignore_errors=True)
        stack = write(tmp_path / "stack", emulator.url)
        before = 0
        if command != "apply":
            assert reconciler("apply", stack, "--auto-approve", "--no-verify").code == 0
            shutil.rmtree(stack / ".reconciler")
            before = COUNT
            write(stack, emulator.url, "Major" if command == "replace" else "Info")
        emulator.forget_requests()
        words = ["destroy" if command == "destroy" else "apply", str(stack), "--auto-approve", "--no-verify"]
        done = subprocess.run(  # noqa: S603 - a command of ours
            [sys.executable, "-m", "reconciler", *words, "--format", "json"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )
        codes.append(done.returncode)
        sent = len(emulator.requests("push")) + len(emulator.requests("clear"))
        assert done.returncode in (0, 1, 4), done
        assert (done.returncode == 1) == (sent == 0), (limit, done)
        assert "Traceback" not in done.stderr
        if done.returncode == 4:
            document = json.loads(done.stdout)
            assert document["ending"] == "ledger-failed", document["summary"]
            assert re.search("not started|half done", document["summary"])
            severities = [item["metadata"]["event_severity"] for item in emulator.active_alarms()]
            finished = int(re.search(r"(\d+) of", document["summary"])[1])  # type: ignore[index]
            changed = {"apply": len(severities), "destroy": before - len(severities)}
            assert finished == changed.get(command, severities.count("Major")), document["summary"]
    assert 4 in codes
    assert codes[-1] == 0
