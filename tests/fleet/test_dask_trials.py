"""A fleet on a Dask cluster of real processes, some of which are killed: no alarm is pushed twice, and all fire.

The service does not merge: a repeated push would open a second alarm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from reconciler import __version__
from reconciler.app.run_unit import run_unit
from reconciler.app.unit import Unit, UnitKind, UnitState
from reconciler.core.ledger_url import VARIABLE
from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.cli.stacks import write
from tests.e2e.crash_harness import Step
from tests.emulator.handle import Emulator
from tests.fleet.cluster import BETWEEN_STACKS, Cluster, is_alive, read_results, wait_for
from tests.servers import postgres

STACKS = 4
ALARMS = ("a", "b", "c")


class Blow(NamedTuple):
    """Who is killed when the ``count``-th operation (or stack) of a worker comes to a step."""

    step: str
    count: int = 1


@dataclass
class Ground:
    """A cluster with a scheduler, a service and a ledger; trials use them one after the other, each its own stacks."""

    cluster: Cluster
    emulator: Emulator
    environ: dict[str, str]
    directory: Path
    scheduler: str = ""
    scheduler_pid: int = 0
    reruns: list[int] = field(default_factory=list)
    struck: Path = Path()
    """Made by the worker that kills."""
    _numbers: Iterator[int] = field(default_factory=count)

    def declare(self) -> list[Unit]:
        """New stacks that were never applied; a scheduler runs, and no worker; the log of the service is empty."""
        if not is_alive(self.scheduler_pid):
            self.scheduler, self.scheduler_pid = self.cluster.start_scheduler()
        number = next(self._numbers)
        self.emulator.forget_requests()
        return [self._unit(f"t{number}-s{place}") for place in range(STACKS)]

    def start_workers(self, blow: Blow | None = None, victim: int = 0) -> list[int]:
        death = None
        if blow is not None:
            self.struck = self.directory / f"struck-{next(self._numbers)}"
            death = {"step": blow.step, "count": blow.count, "victim": victim, "once": str(self.struck)}
        return [self.cluster.start_worker(self.scheduler, death) for _ in range(2)]

    def run_plainly(self, units: list[Unit]) -> None:
        """Apply the stacks as a plain run does, after whoever is at work."""
        for unit in units:
            result = run_unit(replace(unit, lock_timeout=30_000), environ=self.environ)
            assert result.state is UnitState.DONE, result.diagnostics

    def check(self, units: list[Unit]) -> None:
        """Each alarm fires once, and was pushed once."""
        names = {Path(unit.path).name for unit in units}
        wanted = Counter({(name, f"aom_alarm.{alarm}"): 1 for name in names for alarm in ALARMS})
        firing = [alarm["metadata"] for alarm in self.emulator.active_alarms()]
        assert Counter(_marks(metadata) for metadata in firing if metadata["reconciler_stack"] in names) == wanted
        pushed = [event["metadata"] for body in self.emulator.bodies("push") for event in body["events"]]
        assert Counter(map(_marks, pushed)) == wanted

    def _unit(self, name: str) -> Unit:
        path = write(self.directory / name, *ALARMS, stack=name, endpoint=self.emulator.url)
        file = path / "stack.yaml"
        settings = "project_id: p1, visible_within: 100ms, batch_size: 1, parallelism: 1,"
        file.write_text(file.read_text().replace("project_id: p1,", settings))
        return Unit(UnitKind.APPLY, str(path))


def _marks(metadata: dict[str, str]) -> tuple[str, str]:
    return metadata["reconciler_stack"], metadata["reconciler_address"]


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    directory = tmp_path_factory.mktemp("fleet")
    environ = {VARIABLE: postgres.server().schema()}
    with running(Settings(on_repeat="duplicate")) as url, Cluster(directory, environ) as cluster:
        made = Ground(cluster, Emulator(url), environ, directory)
        made.scheduler, made.scheduler_pid = cluster.start_scheduler()
        yield made
        print(f"\nthe cluster began a task again {sum(made.reruns)} times in {len(made.reruns)} trials")


@pytest.fixture
def ground(grounds: Ground) -> Iterator[Ground]:
    yield grounds
    grounds.cluster.kill_workers()


WORKER_DIES = [
    Blow(Step.BEFORE_INTENT),
    Blow(Step.BEFORE_INTENT, 4),
    Blow(Step.AFTER_INTENT, 2),
    Blow(Step.AFTER_BEGIN),
    Blow(Step.AFTER_BEGIN, 5),
    Blow(Step.AFTER_SENDING),
    Blow(Step.AFTER_SENDING, 6),
    Blow(Step.BEFORE_OUTCOME, 2),
    Blow(Step.AFTER_OUTCOME, 3),
    Blow(BETWEEN_STACKS),
]
SCHEDULER_DIES = [
    Blow(Step.AFTER_BEGIN, 2),
    Blow(Step.AFTER_SENDING, 3),
    Blow(Step.BEFORE_OUTCOME, 5),
    Blow(BETWEEN_STACKS),
]
CLIENT_DIES = [Blow(Step.AFTER_BEGIN), Blow(Step.AFTER_SENDING, 2), Blow(BETWEEN_STACKS)]
TWICE_AT_ONCE = [None, Blow(Step.AFTER_SENDING, 2), Blow(Step.AFTER_BEGIN, 3)]


def test_there_are_twenty_trials() -> None:
    assert len([*WORKER_DIES, *SCHEDULER_DIES, *CLIENT_DIES, *TWICE_AT_ONCE]) == 20


@pytest.mark.parametrize("blow", WORKER_DIES, ids=str)
def test_the_fleet_is_applied_once_although_a_worker_dies(ground: Ground, blow: Blow) -> None:
    units = ground.declare()
    workers = ground.start_workers(blow)
    client, out = ground.cluster.start_client(ground.scheduler, units)
    wait_for(lambda: not is_alive(client))
    results, reruns = read_results(out)
    assert sum(map(is_alive, workers)) == 1
    assert [result.state for result in results] == [UnitState.DONE] * STACKS, results
    ground.reruns.append(reruns)
    assert reruns >= 1
    ground.check(units)


@pytest.mark.parametrize("blow", SCHEDULER_DIES, ids=str)
def test_a_fleet_whose_scheduler_dies_ends_and_the_next_run_completes_it(ground: Ground, blow: Blow) -> None:
    units = ground.declare()
    ground.start_workers(blow, ground.scheduler_pid)
    client, out = ground.cluster.start_client(ground.scheduler, units)
    wait_for(lambda: not is_alive(client))
    results, reruns = read_results(out)
    ground.reruns.append(reruns)
    failed = [result for result in results if result.state is UnitState.FAILED]
    assert failed
    for result in failed:
        assert "the connection to the scheduler" in result.diagnostics[0].summary
    ground.run_plainly(units)
    ground.check(units)


@pytest.mark.parametrize("blow", CLIENT_DIES, ids=str)
def test_what_a_client_that_died_left_behind_is_completed_by_the_next_run(ground: Ground, blow: Blow) -> None:
    units = ground.declare()
    workers_are_there = Path(units[0].path) / "go"
    client, out = ground.cluster.start_client(ground.scheduler, units, after=workers_are_there)
    ground.start_workers(blow, client)
    workers_are_there.touch()
    wait_for(lambda: not is_alive(client))
    assert ground.struck.exists()
    assert not out.exists()
    ground.reruns.append(0)
    ground.run_plainly(units)
    ground.check(units)


@pytest.mark.parametrize("blow", TWICE_AT_ONCE, ids=str)
def test_a_fleet_that_is_started_twice_at_once_is_applied_once(ground: Ground, blow: Blow | None) -> None:
    units = ground.declare()
    ground.start_workers(blow)
    clients = [ground.cluster.start_client(ground.scheduler, units) for _ in range(2)]
    wait_for(lambda: not any(is_alive(client) for client, _ in clients))
    ended = [read_results(out) for _, out in clients]
    ground.reruns.append(sum(reruns for _, reruns in ended))
    assert {result.state for results, _ in ended for result in results} <= {UnitState.DONE, UnitState.LEASED}
    ground.check(units)


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("", "the worker cannot import what it needs: "),
        ("0.0.1", f"the worker has reconciler 0.0.1, and the fleet was started by {__version__}"),
    ],
)
def test_a_worker_without_this_version_lives_and_is_told_what_to_install(
    ground: Ground, version: str, told: str
) -> None:
    units = ground.declare()
    worker = ground.cluster.start_worker(ground.scheduler, version=version)
    client, out = ground.cluster.start_client(ground.scheduler, units[:1])
    wait_for(lambda: not is_alive(client))
    found = [found for result in read_results(out)[0] for found in result.diagnostics]
    assert found[0].summary.startswith(told)
    assert f"alarm-reconciler[dask]=={__version__}" in (found[0].hint or "")
    assert is_alive(worker)
