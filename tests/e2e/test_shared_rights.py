"""Least rights: who only plans needs to read the shared ledger only; and records of drills are read anywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.cli.process import reconciler
from tests.cli.stacks import write
from tests.emulator.handle import Emulator
from tests.servers import postgres, s3

DRILL = """\
drills:
  blink:
    resources:
      aom_alarm:
        blinking: {resource_provider: ecs, resource_type: vm, resource_id: r1, event_severity: Info, timeout: 30m}
    steps:
      - {at: 0s, raise: aom_alarm.blinking}
"""


def test_a_user_who_may_only_read_the_ledger_plans_and_does_not_apply(emulator: Emulator, tmp_path: Path) -> None:
    stack = write(tmp_path / "stack", "a", endpoint=emulator.url)
    url = postgres.server().schema()
    address, _, schema = url.partition("?schema=")
    assert reconciler("apply", stack, "--auto-approve", "--ledger", url).returncode == 0
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE reader_{schema} LOGIN".encode())
        admin.execute(f"GRANT USAGE ON SCHEMA {schema} TO reader_{schema}".encode())
        admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader_{schema}".encode())
    reading = url.replace("postgres@", f"reader_{schema}@")
    planned = reconciler("plan", stack, "--ledger", reading)
    assert planned.returncode == 0, planned.stderr
    assert "No changes" in planned.stdout
    refused = reconciler("apply", stack, "--auto-approve", "--ledger", reading)
    assert refused.returncode == 1
    assert "denied permission to this user" in " ".join(refused.stderr.split())
    assert len(emulator.requests("push")) == 1


def test_a_user_who_may_only_read_the_bucket_plans_and_does_not_apply(emulator: Emulator, tmp_path: Path) -> None:
    stack = write(tmp_path / "stack", "a", endpoint=emulator.url)
    url, reading = s3.seaweedfs().prefix(), {"AWS_ACCESS_KEY_ID": s3.READER}
    assert reconciler("plan", stack, "--ledger", url, env=reading).returncode == 0
    assert reconciler("apply", stack, "--auto-approve", "--ledger", url).returncode == 0
    planned = reconciler("plan", stack, "--ledger", url, env=reading)
    assert planned.returncode == 0, planned.stderr
    assert "No changes" in planned.stdout
    refused = reconciler("apply", stack, "--auto-approve", "--ledger", url, env=reading)
    assert refused.returncode == 1
    assert "the store refused the request (403" in " ".join(refused.stderr.split())
    assert len(emulator.requests("push")) == 1


@pytest.mark.parametrize(
    "ledgers", [lambda: postgres.server().schema(), lambda: s3.seaweedfs().prefix()], ids=["postgres", "seaweedfs"]
)
def test_the_record_of_a_drill_is_read_on_another_machine(
    emulator: Emulator, tmp_path: Path, ledgers: Callable[[], str]
) -> None:
    url = ledgers()
    first = write(tmp_path / "first", endpoint=emulator.url, more=DRILL)
    second = write(tmp_path / "second", endpoint=emulator.url, more=DRILL)
    done = reconciler("drill", "run", "blink", first, "--yes", "--ledger", url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (first / ".reconciler" / "drills").exists()
    for command in ("status", "report"):
        found = reconciler("drill", command, cwd=second, env={"RECONCILER_LEDGER": url})
        assert found.returncode == 0, found.stderr
        assert "blink" in found.stdout
