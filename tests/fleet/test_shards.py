"""A large stack is planned once and applied in shards by several workers: nothing is lost, and nothing sent twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.app.unit import ShardReport, ShardTask, Unit, UnitKind, UnitResult, UnitState
from reconciler.apply.result import ApplyStatus
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.exit_code import ExitCode
from reconciler.emulator.settings import Settings
from reconciler.fleet.cut import cut_of
from reconciler.fleet.engine import EngineLimits, Event, Finished
from tests.cli.run_cli import reconciler
from tests.e2e.crash_harness import Step as DeathStep
from tests.emulator.handle import Emulator
from tests.fleet.cluster import Cluster
from tests.fleet.fleets import by_name, fleet_json
from tests.fleet.shard_forks import Forks, Step, forks
from tests.servers import postgres

ALARMS = 36
SIZE = 10

STACK = """\
stack: big
providers:
  aom: {{endpoint: "{endpoint}", project_id: p1, auth: {{token: t}}}}
resources:
  aom_alarm:
    each:
      for_each: "${{range({count})}}"
      event_severity: {severity}
      resource_provider: ecs
      resource_type: vm
      resource_id: "ecs-${{each.value}}"
      annotations: {{message: "{message}"}}
      timeout: 30m
"""


@pytest.fixture(scope="module")
def forked() -> Iterator[Forks]:
    with forks() as made:
        yield made


@pytest.fixture
def service(start_emulator: Callable[[Settings], Emulator]) -> Emulator:
    """A service that does not merge what is pushed twice."""
    return start_emulator(Settings(on_repeat="duplicate"))


def write(root: Path, service: Emulator, ledger: str, **more: object) -> Path:
    values = {"endpoint": service.url, "count": ALARMS, "severity": "Major", "message": "high", **more}
    (root / "big").mkdir(exist_ok=True)
    (root / "big/stack.yaml").write_text(STACK.format(**values))
    (root / "fleet.yaml").write_text(
        f'stacks: [big]\nlarge: [big]\nshard_size: {SIZE}\nmax_parallel: 2\nledger: "{ledger}"\n'
    )
    return root


def pushed(service: Emulator) -> Counter[str]:
    """How often each address was pushed."""
    bodies = service.bodies("push")
    return Counter(event["metadata"]["reconciler_address"] for body in bodies for event in body["events"])


def firing(service: Emulator) -> Counter[str]:
    return Counter(alarm["metadata"]["reconciler_address"] for alarm in service.active_alarms())


def once(count: int = ALARMS) -> dict[str, int]:
    return {f'aom_alarm.each["{number}"]': 1 for number in range(count)}


def test_a_large_stack_is_applied_in_shards_and_changed_by_the_next_apply(tmp_path: Path, service: Emulator) -> None:
    ledger = postgres.server().schema()
    root = write(tmp_path, service, ledger)
    done, report = fleet_json("apply", root, "--auto-approve")
    assert done.code == 0, report
    (found,) = report["stacks"]
    assert found["counts"] == {"create": ALARMS}
    assert pushed(service) == once()
    shown = reconciler("ledger", "show", found["run"], "--stack", "big", "--ledger", ledger, "--format", "json")
    assert Counter(each["status"] for each in json.loads(shown.out)["operations"]) == {"done": ALARMS}
    again, _ = fleet_json("apply", root, "--auto-approve")
    assert again.code == 0
    assert pushed(service) == once()
    changed, report = fleet_json("apply", write(tmp_path, service, ledger, message="higher"), "--auto-approve")
    assert changed.code == 0, report
    assert by_name(report, "counts") == {"big": {"update": ALARMS}}
    assert firing(service) == once()
    plain = reconciler("apply", root / "big", "--ledger", ledger, "--auto-approve")
    assert "No changes" in plain.out
    assert [found.stack for found in _stacks(ledger)] == ["big"]


def test_a_plan_that_was_saved_is_applied_in_shards_as_it_was_shown(tmp_path: Path, service: Emulator) -> None:
    root = write(tmp_path, service, postgres.server().schema())
    plans = tmp_path / "plans"
    assert reconciler("fleet", "plan", root, "--out", plans).code in (0, 2)
    for _ in range(2):
        done, report = fleet_json("apply", plans, "--auto-approve")
        assert done.code == 0, report
    assert pushed(service) == firing(service) == once()


def test_a_ledger_that_several_workers_cannot_write_is_refused_before_anything_is_sent(
    tmp_path: Path, service: Emulator
) -> None:
    root = write(tmp_path, service, str(tmp_path / "ledgers"))
    done, report = fleet_json("apply", root, "--auto-approve")
    assert done.code == 1
    (told,) = by_name(report, "diagnostics")["big"]
    assert "cannot be applied in shards" in told["summary"]
    assert not pushed(service)


def test_rejected_credentials_end_the_run_with_what_was_done_told(tmp_path: Path, service: Emulator) -> None:
    root = write(tmp_path, service, postgres.server().schema())
    service.fault("push:status=401,nth=2")
    done, report = fleet_json("apply", root, "--auto-approve", "--parallelism", "1")
    assert done.code == 4, report
    (found,) = report["stacks"]
    assert (found["state"], found["remaining"]) == ("failed", ALARMS - sum(firing(service).values()))
    service.clear_faults()
    again, report = fleet_json("apply", root, "--auto-approve")
    assert again.code == 0, report
    assert firing(service) == once()


@pytest.mark.parametrize("step", [None, *Step])
def test_whoever_dies_nothing_is_pushed_twice_and_the_next_apply_completes(
    tmp_path: Path, service: Emulator, forked: Forks, step: Step | None
) -> None:
    ledger = postgres.server().schema()
    root = write(tmp_path, service, ledger)
    report, died = forked.apply(root, step, times=2 if step is None else 1)
    assert died == (step is not None)
    if step is None or not step.startswith("client"):
        assert report is not None
        assert (report["state"], report["remaining"]) == ("done", 0), report
        assert pushed(service) == once()
    else:
        assert report is None
    plain = reconciler("apply", root / "big", "--ledger", ledger, "--auto-approve")
    assert plain.code == 0, plain.err
    assert pushed(service) == firing(service) == once()


def test_a_dask_worker_dies_and_another_takes_its_shard_over(tmp_path: Path, service: Emulator) -> None:
    root = write(tmp_path, service, postgres.server().schema())
    once_only = tmp_path / "died"
    with Cluster(tmp_path, {}) as cluster:
        scheduler, _ = cluster.start_scheduler()
        death = {"step": DeathStep.AFTER_SENDING, "count": 1, "victim": 0, "once": str(once_only)}
        for _ in range(2):
            cluster.start_worker(scheduler, death)
        options = ("--auto-approve", "--engine", "dask", "--scheduler", scheduler)
        done, report = fleet_json("apply", root, *options)
    assert done.code == 0, report
    assert once_only.exists()
    assert pushed(service) == firing(service) == once()


class Ends:
    """An engine whose units all end in the same way."""

    workers = 1

    def __init__(self, result: UnitResult) -> None:
        self._result = result

    def run(self, units: Iterable[Unit], limits: EngineLimits) -> Iterator[Event]:
        for unit in units:
            yield Finished(replace(self._result, unit=unit))

    def stop(self) -> None: ...


STOPPED = UnitResult(
    Unit(UnitKind.SHARD, "big"), UnitState.TIMED_OUT, ExitCode.PARTIAL, shard=ShardReport(ApplyStatus.INTERRUPTED)
)
REFUSED = UnitResult(
    Unit(UnitKind.SHARD, "big"), UnitState.FAILED, ExitCode.ERROR, diagnostics=(Diagnostic("auth failed\nstatus: 401"),)
)


@pytest.mark.parametrize(
    ("result", "report"),
    [(STOPPED, ShardReport(ApplyStatus.DEADLINE)), (REFUSED, "auth failed")],
    ids=["a shard that is stopped at its deadline is not interrupted", "a worker that fails says why in a line"],
)
def test_what_an_engine_says_of_a_shard_is_told(result: UnitResult, report: ShardReport | str) -> None:
    cut = cut_of(Unit(UnitKind.APPLY, "big", shard_size=1), Ends(result), EngineLimits())
    ((_, told),) = cut.give([ShardTask("big#run.1", "big", 1, "run", "plan", 1, 1)])
    assert told == report


def _stacks(ledger: str) -> Any:
    from reconciler.ledger.kinds import list_stacks

    return list_stacks(ledger)
