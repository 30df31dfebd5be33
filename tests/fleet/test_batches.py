"""Batches: units that share queries, and what becomes of them if one does harm."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from reconciler.app.run_batch import run_batch
from reconciler.app.unit import Unit, UnitKind, UnitResult, UnitState
from reconciler.config.stack import Inputs
from reconciler.core.exit_code import ExitCode
from reconciler.fleet.engine import EngineLimits, Finished
from reconciler.fleet.processes import ProcessEngine
from reconciler.session.workspace import open_workspace
from tests.cli.stacks import write
from tests.emulator.handle import Emulator
from tests.providers.aom.objects import push

STACKS = 200


def units(directory: Path, url: str, *names: str, kind: UnitKind = UnitKind.DRIFT) -> list[Unit]:
    return [Unit(kind, str(write(directory / name, "a", stack=name, endpoint=url))) for name in names]


def by_name(results: list[UnitResult]) -> dict[str, UnitResult]:
    return {Path(result.unit.path).name: result for result in results}


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a service that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_look_for_drift_in_two_hundred_stacks_is_a_handful_of_requests(tmp_path: Path, emulator: Emulator) -> None:
    names = [f"s{number}" for number in range(STACKS)]
    work = units(tmp_path, emulator.url, *names)
    with open_workspace(Path(work[0].path), Inputs()) as workspace:
        (alarm,) = workspace.stack.desired
        workspace.providers["aom"].send([push(alarm, name, f"key-{name}", emulator.now()) for name in names])
    emulator.forget_requests()
    with ProcessEngine() as engine:
        events = engine.run(work, EngineLimits(max_parallel=2, batch=STACKS // 2))
        results = [event.result for event in events if isinstance(event, Finished)]
    assert len(results) == STACKS
    assert {(result.exit_code, *result.counts.items()) for result in results} == {(ExitCode.DONE, ("no-op", 1))}
    assert len(emulator.requests()) == 2


def test_what_is_wrong_with_one_stack_of_a_batch_is_told_of_it_alone(tmp_path: Path, emulator: Emulator) -> None:
    work = units(tmp_path, emulator.url, "a", "broken", "b", kind=UnitKind.PLAN)
    (tmp_path / "broken/stack.yaml").write_text("stack: broken\nresorces: {}\n")
    results = by_name(list(run_batch(work)))
    assert {name: result.state for name, result in results.items()} == {
        "a": UnitState.DONE,
        "b": UnitState.DONE,
        "broken": UnitState.FAILED,
    }
    assert results["a"].counts == {"create": 1}
    assert results["a"].stack == "a"


def test_a_hanging_stack_is_stopped_and_the_rest_of_its_batch_goes_on(
    tmp_path: Path, emulator: Emulator, silent: str
) -> None:
    first, second, third = units(tmp_path, emulator.url, "a", "hangs", "b", kind=UnitKind.PLAN)
    write(tmp_path / "hangs", "a", stack="hangs", endpoint=silent)
    with ProcessEngine() as engine:
        events = engine.run([first, replace(second, deadline=50), third], EngineLimits(max_parallel=1, batch=3))
        results = by_name([event.result for event in events if isinstance(event, Finished)])
    assert results["hangs"].state is UnitState.TIMED_OUT
    assert results["a"].counts == results["b"].counts == {"create": 1}


def test_a_batch_stops_cleanly_while_its_shared_query_hangs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ProcessEngine() as engine:
        work = units(tmp_path, f"http://127.0.0.1:{server.getsockname()[1]}", "a", "b", kind=UnitKind.PLAN)
        open_connections = []

        def stop() -> None:
            open_connections.append(server.accept())
            engine.stop()

        Thread(target=stop, daemon=True).start()
        events = engine.run(work, EngineLimits(max_parallel=1, batch=2))
        results = [event.result for event in events if isinstance(event, Finished)]
    assert [(result.state, result.diagnostics) for result in results] == [(UnitState.INTERRUPTED, ())] * 2


def test_the_rest_of_a_batch_goes_on_when_its_worker_dies(tmp_path: Path, emulator: Emulator) -> None:
    work = units(tmp_path, emulator.url, "a", "kills", "b", kind=UnitKind.PLAN)
    workers: list[int] = []
    results = []
    with socket.create_server(("127.0.0.1", 0)) as server, ProcessEngine() as engine:
        write(tmp_path / "kills", "a", stack="kills", endpoint=f"http://127.0.0.1:{server.getsockname()[1]}")

        def kill() -> None:
            with server.accept()[0]:
                os.kill(workers[0], signal.SIGKILL)

        Thread(target=kill, daemon=True).start()
        for event in engine.run(work, EngineLimits(max_parallel=1, batch=3)):
            if isinstance(event, Finished):
                results.append(event.result)
            else:
                workers.append(int(event.worker.removeprefix("process ")))
    found = by_name(results)
    assert found["a"].counts == found["b"].counts == {"create": 1}
    assert found["kills"].state is UnitState.FAILED
    assert "ended by signal 9" in found["kills"].diagnostics[0].summary
