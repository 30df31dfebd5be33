"""The protocol of engines: units run by an engine of ten lines, and by processes of this machine."""

from __future__ import annotations

import os
import pickle
import signal
import socket
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.app.run_unit import run_unit
from reconciler.app.unit import (
    Unit,
    UnitKind,
    UnitResult,
    UnitState,
    parse_result,
    parse_units,
    result_json,
    units_json,
)
from reconciler.core.exit_code import ExitCode
from reconciler.fleet.engine import Engine, EngineLimits, Event, Finished, Started
from reconciler.fleet.processes import ProcessEngine
from tests.cli.stacks import write
from tests.emulator.handle import Emulator


class InlineEngine:
    """Runs one unit after the other, right here."""

    stopped = False

    def run(self, units: Iterable[Unit], limits: EngineLimits) -> Iterator[Event]:
        for unit in units:
            yield Started(unit, "here")
            yield Finished(run_unit(unit))
            if self.stopped:
                return

    def stop(self) -> None:
        self.stopped = True


def units(tmp_path: Path, emulator: Emulator, kind: UnitKind, *names: str) -> list[Unit]:
    return [Unit(kind, str(write(tmp_path / name, "a", "b", stack=name, endpoint=emulator.url))) for name in names]


def results(engine: Engine, work: Iterable[Unit]) -> dict[str, UnitResult]:
    found = [event.result for event in engine.run(work, EngineLimits(max_parallel=2)) if isinstance(event, Finished)]
    return {Path(result.unit.path).name: result for result in found}


def test_units_and_results_travel_as_json_and_as_pickles() -> None:
    unit = Unit(UnitKind.PLAN, "stacks/a", "eu", {"size": 3}, ("eu.yaml",), "${env.LEDGER}", deadline=5000)
    result = UnitResult(unit, UnitState.DONE, ExitCode.CHANGES, counts={"create": 2})
    assert parse_units(units_json([unit])) == [unit] == [pickle.loads(pickle.dumps(unit))]  # noqa: S301 - our own bytes
    assert parse_result(result_json(result)) == result == pickle.loads(pickle.dumps(result))  # noqa: S301 - our own


def test_an_engine_of_ten_lines_is_enough(tmp_path: Path, emulator: Emulator) -> None:
    done = results(InlineEngine(), units(tmp_path, emulator, UnitKind.APPLY, "a", "b"))
    assert [done["a"].counts, done["b"].counts] == [{"create": 2}, {"create": 2}]
    assert done["a"].run is not None


def test_processes_run_units_and_an_error_in_one_is_a_result(tmp_path: Path, emulator: Emulator) -> None:
    work = units(tmp_path, emulator, UnitKind.PLAN, "a", "b", "c")
    (tmp_path / "b/stack.yaml").write_text("stack: b\nresorces: {}\n")
    with ProcessEngine() as engine:
        done = results(engine, work)
        again = results(engine, [replace(work[0], kind=UnitKind.APPLY)])
    assert done["a"].counts == done["c"].counts == {"create": 2}
    assert done["a"].exit_code is ExitCode.CHANGES
    assert done["b"].state is UnitState.FAILED
    assert 'did you mean "resources"?' in (done["b"].diagnostics[0].hint or "")
    assert again["a"].state is UnitState.DONE
    assert again["a"].worker in {result.worker for result in done.values()}


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a service that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_unit_that_exceeds_its_deadline_stops_cleanly(tmp_path: Path, emulator: Emulator, silent: str) -> None:
    hangs, other = units(tmp_path, emulator, UnitKind.APPLY, "hangs", "other")
    write(tmp_path / "hangs", "a", stack="hangs", endpoint=silent)
    with ProcessEngine() as engine:
        done = results(engine, [replace(hangs, deadline=50), other])
    assert done["hangs"].state is UnitState.TIMED_OUT
    assert done["hangs"].diagnostics[0].summary == "it did not end within 50ms: it was asked to stop, and stopped"
    assert done["other"].counts == {"create": 2}
    assert run_unit(replace(hangs, kind=UnitKind.STATUS)).holder is None


def test_a_worker_that_dies_is_told_and_the_others_go_on(tmp_path: Path, emulator: Emulator, silent: str) -> None:
    dies, *others = units(tmp_path, emulator, UnitKind.APPLY, "dies", "a", "b")
    write(tmp_path / "dies", "a", stack="dies", endpoint=silent)
    done: dict[str, UnitResult] = {}
    with ProcessEngine() as engine:
        for event in engine.run([dies, *others], EngineLimits(max_parallel=2)):
            if isinstance(event, Finished):
                done[Path(event.result.unit.path).name] = event.result
            elif event.unit is dies:
                os.kill(int(event.worker.removeprefix("process ")), signal.SIGKILL)
    assert (done["dies"].state, done["dies"].exit_code) == (UnitState.FAILED, ExitCode.PARTIAL)
    assert "ended by signal 9 in the middle of its work" in done["dies"].diagnostics[0].summary
    assert done["a"].counts == done["b"].counts == {"create": 2}


def test_units_whose_workers_still_start_are_interrupted_too(tmp_path: Path, emulator: Emulator) -> None:
    states = []
    with ProcessEngine() as engine:
        for event in engine.run(units(tmp_path, emulator, UnitKind.APPLY, "a", "b", "c"), EngineLimits(max_parallel=2)):
            if isinstance(event, Finished):
                states.append(event.result.state)
            else:
                engine.stop()  # the first has begun a moment ago
    assert states == [UnitState.INTERRUPTED]
    assert emulator.requests("push") == []


def test_a_worker_that_does_not_stop_is_killed_and_the_others_go_on(
    tmp_path: Path, emulator: Emulator, silent: str
) -> None:
    first, *work = units(tmp_path, emulator, UnitKind.PLAN, "first", "hangs", "a", "b")
    write(tmp_path / "hangs", "a", stack="hangs", endpoint=silent)
    work[0] = replace(work[0], deadline=50)
    done: dict[str, UnitResult] = {}
    with ProcessEngine() as engine:
        results(engine, [first])
        for event in engine.run(work, EngineLimits(max_parallel=2, grace=50)):
            if isinstance(event, Finished):
                done[Path(event.result.unit.path).name] = event.result
            elif event.unit is work[0]:
                os.kill(int(event.worker.removeprefix("process ")), signal.SIGSTOP)
    assert done["hangs"].state is UnitState.TIMED_OUT
    assert "was killed" in done["hangs"].diagnostics[0].summary
    assert done["a"].counts == done["b"].counts == {"create": 2}
