"""The Dask engine at a cluster inside this process: what it tells of errors, of deadlines and when it is stopped."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import LocalCluster

from reconciler.app.unit import Unit, UnitKind, UnitResult, UnitState
from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.exit_code import ExitCode
from reconciler.emulator.settings import Settings
from reconciler.fleet.dask import DaskEngine
from reconciler.fleet.engine import EngineLimits, Finished, Started
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write
from tests.emulator.handle import Emulator
from tests.servers import postgres
from tests.servers.ports import free_port

LOOPBACK = {"protocol": "tcp", "host": "127.0.0.1", "dashboard_address": ":0", "worker_dashboard_address": ":0"}


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, **LOOPBACK) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def engine(scheduler: str) -> Iterator[DaskEngine]:
    with DaskEngine(scheduler) as made:
        yield made


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a service that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def units(directory: Path, url: str, *names: str, kind: UnitKind = UnitKind.PLAN) -> list[Unit]:
    return [Unit(kind, str(write(directory / name, "a", stack=name, endpoint=url))) for name in names]


def results(engine: DaskEngine, work: list[Unit], **limits: int) -> dict[str, UnitResult]:
    found = [event.result for event in engine.run(work, EngineLimits(**limits)) if isinstance(event, Finished)]
    return {Path(result.unit.path).name: result for result in found}


def test_units_run_on_workers_in_batches_that_share_queries(
    engine: DaskEngine, tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = units(tmp_path, emulator.url, "a", "b", "broken", "c")
    (tmp_path / "broken/stack.yaml").write_text("stack: broken\nresorces: {}\n")
    monkeypatch.chdir(tmp_path)
    work[0] = replace(work[0], path="a")
    events = list(engine.run(work, EngineLimits(batch=4)))
    done = {event.result.unit.id: event.result for event in events if isinstance(event, Finished)}
    assert {done[unit.id].state for unit in work if "broken" not in unit.path} == {UnitState.DONE}
    assert done["a"].counts == {"create": 1}
    assert done["a"].worker.startswith("tcp://127.0.0.1:")
    assert 'did you mean "resources"?' in (done[work[2].id].diagnostics[0].hint or "")
    assert [event.unit for event in events if isinstance(event, Started)] == work
    asked = [request["query"] for request in emulator.requests("query")]
    # One for the alarms of the stacks, one for unmanaged alarms beside them.
    assert len([query for query in asked if "active_alert" in query]) == 2


def test_an_apply_needs_a_ledger_that_all_workers_share(engine: DaskEngine, tmp_path: Path, emulator: Emulator) -> None:
    (unit,) = units(tmp_path, emulator.url, "a", kind=UnitKind.APPLY)
    refused = results(engine, [unit])["a"]
    assert refused.exit_code is ExitCode.ERROR
    assert "is a file" in refused.diagnostics[0].summary
    assert emulator.requests() == []
    applied = results(engine, [replace(unit, ledger=postgres.server().schema())])["a"]
    assert applied.counts == {"create": 1}


def test_a_password_is_not_sent_to_the_scheduler(engine: DaskEngine, tmp_path: Path, emulator: Emulator) -> None:
    (unit,) = units(tmp_path, emulator.url, "a")
    with pytest.raises(DiagnosticError, match="holds a password"):
        results(engine, [replace(unit, ledger="postgresql://ci:hunter22@db/x")])


def test_a_unit_that_exceeds_its_deadline_is_asked_to_stop(engine: DaskEngine, tmp_path: Path, start_emulator) -> None:
    slow = start_emulator(Settings(faults=("query:delay=300ms",)))
    (unit,) = units(tmp_path, slow.url, "slow", kind=UnitKind.APPLY)
    done = results(engine, [replace(unit, deadline=50, ledger=postgres.server().schema())])["slow"]
    assert done.state is UnitState.TIMED_OUT
    assert done.diagnostics[0].summary == "it did not end within 50ms: it was asked to stop, and stopped"


def test_a_unit_that_does_not_stop_is_given_up_and_the_others_go_on(
    engine: DaskEngine, tmp_path: Path, emulator: Emulator, silent: str
) -> None:
    hangs, *others = units(tmp_path, emulator.url, "hangs", "a", "b")
    file = write(tmp_path / "hangs", "a", stack="hangs", endpoint=silent) / "stack.yaml"
    file.write_text(file.read_text().replace("project_id: p1,", "project_id: p1, request_timeout: 1s,"))
    done = results(engine, [replace(hangs, deadline=50), *others], grace=50)
    assert done["hangs"].state is UnitState.TIMED_OUT
    assert "its worker still has it" in done["hangs"].diagnostics[0].summary
    assert done["a"].counts == done["b"].counts == {"create": 1}


def test_a_run_that_is_stopped_begins_nothing_more(engine: DaskEngine, tmp_path: Path, start_emulator) -> None:
    slow = start_emulator(Settings(faults=("push:status=503,retry_after=10",)))
    work = units(tmp_path, slow.url, "a", "b", "c", kind=UnitKind.APPLY)
    ledger = postgres.server().schema()
    found = []
    for event in engine.run([replace(unit, ledger=ledger) for unit in work], EngineLimits(max_parallel=1)):
        found.append(event)
        if isinstance(event, Started):
            threading.Timer(0.1, engine.stop).start()
    assert [event.result.state for event in found if isinstance(event, Finished)] == [UnitState.INTERRUPTED]


def test_a_scheduler_that_does_not_answer_is_an_error() -> None:
    scheduler = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(DiagnosticError, match="cannot be reached") as error, DaskEngine(scheduler, connect=500):
        pass
    assert "--scheduler" in (error.value.diagnostics[0].hint or "")


def test_a_scheduler_without_workers_is_an_error(tmp_path: Path) -> None:
    with (
        LocalCluster(n_workers=0, processes=False, **LOOPBACK) as cluster,
        pytest.raises(DiagnosticError, match="has no workers"),
        DaskEngine(cluster.scheduler_address, connect=500),
    ):
        pass


def test_a_cluster_that_loses_all_workers_is_given_up(tmp_path: Path, emulator: Emulator) -> None:
    with (
        LocalCluster(n_workers=1, processes=False, **LOOPBACK) as cluster,
        DaskEngine(cluster.scheduler_address, alone=0) as engine,
    ):
        cluster.scale(0)
        cluster.sync(cluster._correct_state)
        done = results(engine, units(tmp_path, emulator.url, "a"))["a"]
    assert done.state is UnitState.FAILED
    assert "has no workers any more" in done.diagnostics[0].summary


def test_the_command_runs_on_the_cluster_that_it_is_given(scheduler: str, tmp_path: Path, emulator: Emulator) -> None:
    units(tmp_path, emulator.url, "a", "b")
    done = reconciler("fleet", "plan", tmp_path, "--engine", "dask", "--scheduler", scheduler)
    assert done.code == 0, done.err
    assert done.out.endswith("2 stacks: 2 planned (2 to create).\n")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--engine", "dask"], "--engine dask needs the scheduler of a Dask cluster"),
        (["--scheduler", "tcp://127.0.0.1:8786"], "--scheduler is for the Dask engine"),
    ],
)
def test_an_engine_and_a_scheduler_go_together(tmp_path: Path, options: list[str], told: str) -> None:
    done = reconciler("fleet", "plan", tmp_path, *options)
    assert done.code == 1
    assert told in done.err


def test_an_apply_on_a_cluster_that_would_ask_tells_how_to_review_plans(tmp_path: Path, emulator: Emulator) -> None:
    units(tmp_path, emulator.url, "a")
    on_cluster = ("--engine", "dask", "--scheduler", "tcp://127.0.0.1:8786")
    done = reconciler("fleet", "apply", tmp_path, *on_cluster, answers="yes\n")
    assert done.code == 1
    assert "a Dask cluster cannot apply plans that were shown here" in done.err
    told = " ".join(done.err.split())
    assert f"`reconciler fleet plan --out DIR {' '.join(on_cluster)}`" in told
    assert f"`reconciler fleet apply DIR {' '.join(on_cluster)}`; or add --auto-approve" in told
    assert emulator.requests() == []
