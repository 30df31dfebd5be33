"""Passing time, with every clock of the process frozen: ours and the embedded emulator's."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.cli.run_cli import reconciler
from tests.frozen_time import frozen_time

STACK = """\
stack: timed
providers: {aom: {endpoint: embedded, project_id: p, auth: {token: some-token}}}
resources:
  aom_alarm:
    latency:
      event_severity: Info
      resource_provider: ecs
      resource_type: vm
      resource_id: ecs-1
      timeout: 30m
      LIFECYCLE
"""


def _stack(directory: Path, lifecycle: str = "") -> Path:
    (directory / "stack.yaml").write_text(STACK.replace("LIFECYCLE", lifecycle))
    return directory


def test_an_alarm_that_expired_is_drift_and_the_plan_says_when(tmp_path: Path) -> None:
    stack = _stack(tmp_path)
    with frozen_time("2026-05-01T12:00:00Z") as time:
        assert reconciler("apply", stack, "--auto-approve").code == 0
        time.tick(timedelta(minutes=29))
        assert reconciler("plan", stack, "--detailed-exitcode").code == 0
        time.tick(timedelta(minutes=2))
        done = reconciler("plan", stack, "--detailed-exitcode")
    assert done.code == 2
    assert "expired at 2026-05-01T12:30:00Z, 30m after it started" in done.out


def test_an_alarm_is_renewed_before_it_expires(tmp_path: Path) -> None:
    stack = _stack(tmp_path, "lifecycle: {renew_before: 10m}")
    with frozen_time("2026-05-01T12:00:00Z") as time:
        assert reconciler("apply", stack, "--auto-approve").code == 0
        time.tick(timedelta(minutes=25))
        assert "expires in 5m, within renew_before of 10m" in reconciler("plan", stack).out
        assert reconciler("apply", stack, "--auto-approve").code == 0
        time.tick(timedelta(minutes=15))
        assert reconciler("plan", stack, "--detailed-exitcode").code == 0


def test_a_saved_plan_is_refused_once_its_alarms_would_be_over_on_arrival(tmp_path: Path) -> None:
    stack = _stack(tmp_path)
    saved = tmp_path / "plan.json"
    with frozen_time("2026-05-01T12:00:00Z") as time:
        assert reconciler("plan", stack, "--out", saved).code == 0
        time.tick(timedelta(minutes=31))
        done = reconciler("apply", stack, saved)
    assert done.code == 1
    assert "had to be sent by 2026-05-01T12:30:00Z, 1m ago" in done.err
