"""The question of a drill's pause, on a real terminal: only what is typed after it counts."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.run_cli import reconciler
from tests.emulator.handle import Emulator

STACK = """\
stack: shop
providers:
  aom: {{endpoint: "{url}", project_id: p1, auth: {{token: s3cr3t-t0ken}}, visible_within: 2s}}
resources: {{}}
drills:
  outage:
    resources:
      aom_alarm:
        broken: {{event_severity: Info, resource_provider: ecs, resource_type: vm, resource_id: r1}}
    steps:
      - {{at: 0s, raise: aom_alarm.broken}}
      - {{at: 0s, pause: Has somebody been paged?}}
      - {{at: 0s, note: Somebody was paged}}
"""


def wait_for(run: subprocess.Popen[bytes], text: str) -> None:
    """Read what a run says until a text is in it."""
    assert run.stderr is not None
    told = b""
    while text.encode() not in told:
        part = os.read(run.stderr.fileno(), 65_536)
        assert part, told
        told += part


@pytest.mark.parametrize(("answer", "status", "code"), [("no", "aborted", 130), ("yes", "complete", 0)])
def test_what_was_typed_before_the_question_is_no_answer(
    emulator: Emulator, tmp_path: Path, answer: str, status: str, code: int
) -> None:
    (tmp_path / "stack.yaml").write_text(STACK.format(url=emulator.url))
    keyboard, terminal = pty.openpty()
    command = [sys.executable, "-m", "reconciler", "drill", "run", "outage", str(tmp_path)]
    ahead = "no" if answer == "yes" else "yes"
    with subprocess.Popen(command, stdin=terminal, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:  # noqa: S603 - a command of ours
        try:
            wait_for(run, "Type the drill's name")
            os.write(keyboard, f"outage\n{ahead}\n".encode())
            wait_for(run, "Continue?")
            os.write(keyboard, f"{answer}\n".encode())
            _, err = run.communicate(timeout=60)
        finally:
            run.kill()
            os.close(terminal)
            os.close(keyboard)
    assert run.returncode == code, err
    listed = json.loads(reconciler("drill", "list", tmp_path, "--format", "json").out)
    assert json.dumps(status) in json.dumps(listed)
    assert emulator.active_alarms() == []
