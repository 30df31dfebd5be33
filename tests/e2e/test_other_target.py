"""What was begun at one target is neither resumed, aborted, settled nor applied at another: each command says so."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.cli.run_cli import reconciler
from tests.emulator.handle import Emulator

STACK = """\
stack: shop
providers:
  aom: {{{where}, auth: {{token: s3cr3t-t0ken}}, visible_within: 1s, request_timeout: 2s}}
resources:
  aom_alarm:
    slow: {{event_severity: Major, resource_provider: ecs, resource_type: vm, resource_id: r1, timeout: 30m}}
drills:
  outage:
    resources:
      aom_alarm:
        broken: {{event_severity: Major, resource_provider: ecs, resource_type: vm, resource_id: r2, timeout: 30m}}
    steps:
      - {{at: 0s, raise: aom_alarm.broken}}
      - {{at: 10m, clear: all}}
"""
COMMANDS = ["drill resume outage --yes", "drill abort outage", "ledger settle", "apply {plan}"]


class Begun:
    """A stack directory with a dead drill, an open operation and a saved plan, all at one target."""

    def __init__(self, directory: Path, here: Emulator, elsewhere: Emulator) -> None:
        self.directory, self.here, self.elsewhere = directory, here, elsewhere
        self.plan = directory / "plan.json"
        self.point_to(f"endpoint: '{here.url}', project_id: p1")
        self._kill("drill", "run", "outage", "--yes", once=here.active_alarms)
        here.forget_requests()
        here.fault("push:status=503,retry_after=60")
        self._kill("apply", "--auto-approve", once=lambda: here.requests("push"))
        here.clear_faults()
        assert reconciler("plan", directory, "--out", self.plan).code == 0

    def point_to(self, where: str) -> None:
        (self.directory / "stack.yaml").write_text(STACK.format(where=where))

    def _kill(self, *command: str, once: Callable[[], object]) -> None:
        arguments = [sys.executable, "-m", "reconciler", *command, str(self.directory)]
        with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - a command of ours
            while not once():
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
            process.kill()


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begun]:
    with running(Settings()) as here, running(Settings()) as elsewhere:
        yield Begun(tmp_path_factory.mktemp("stack"), Emulator(here), Emulator(elsewhere))


@pytest.mark.parametrize("other", ["endpoint", "project", "region"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_at_another_target_names_both_and_does_nothing(begun: Begun, command: str, other: str) -> None:
    here, there = begun.here.url, begun.elsewhere.url
    where, label = {
        "endpoint": (f"endpoint: '{there}', project_id: p1", f"aom {there}, project p1"),
        "project": (f"endpoint: '{here}', project_id: p2", f"aom {here}, project p2"),
        "region": ("region: cn-north-4, project_id: p1", "aom cn-north-4, project p1"),
    }[other]
    begun.point_to(where)
    firing = begun.here.alarms()
    begun.here.forget_requests()
    name, *arguments = command.format(plan=begun.plan).split()
    if name == "apply":
        done = reconciler(name, begun.directory, *arguments)
    else:
        done = reconciler(name, *arguments[:2], begun.directory, *arguments[2:])
    told = " ".join(done.err.split())
    assert done.code == 1, done
    assert f"aom {here}, project p1" in told
    assert label in told
    assert begun.here.alarms() == firing
    assert not begun.here.requests("push|clear")
    assert begun.elsewhere.requests() == []


def test_where_it_was_begun_each_command_does_its_work(emulator: Emulator, tmp_path: Path) -> None:
    begun = Begun(tmp_path, emulator, emulator)
    settled = reconciler("ledger", "settle", begun.directory)
    assert settled.code == 0, settled
    done = reconciler("drill", "abort", "outage", begun.directory)
    assert done.code == 0, done
    assert begun.here.active_alarms() == []
    assert reconciler("apply", begun.directory, begun.plan).code == 0
    assert [item["metadata"]["event_name"] for item in begun.here.active_alarms()] == ["slow"]
