"""Forked workers, in commands of their own: the process that runs the tests has threads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.cli.stacks import write
from tests.emulator.handle import Emulator
from tests.fleet.fleets import silent_service

_SETUP = """
import json, os, signal, sys, threading
from pathlib import Path
from reconciler.app.unit import Unit, UnitKind
from reconciler.fleet.engine import EngineLimits, Finished
from reconciler.fleet.fork import ForkedProcess
from reconciler.fleet.processes import ProcessEngine

url, *stacks = sys.argv[1:]
environ = {**os.environ, "SERVICE": url}

def kind_of_worker(engine):
    return sorted({type(worker.process).__name__ for worker in engine._workers})

def run(engine, kind, act=lambda engine, worker: None):
    told = {}
    for event in engine.run([Unit(kind, stack) for stack in stacks], EngineLimits(max_parallel=2)):
        if isinstance(event, Finished):
            summaries = [found.summary for found in event.result.diagnostics]
            told[Path(event.result.unit.path).name] = [event.result.state.value, dict(event.result.counts), summaries]
        else:
            act(engine, int(event.worker.removeprefix("process ")))
    return told
"""
_PLAN = """
with ProcessEngine(environ) as engine:
    told = run(engine, UnitKind.PLAN)
    processes = [worker.process for worker in engine._workers]
    print(json.dumps([kind_of_worker(engine), told]))
assert [process.returncode for process in processes] == [0, 0], processes
assert "SERVICE" not in os.environ
"""
_WITHOUT_STREAMS = """
out = os.fdopen(os.dup(1), "w")
os.close(0)
os.close(1)
with ProcessEngine(environ) as engine:
    told = run(engine, UnitKind.PLAN)
    print(json.dumps([kind_of_worker(engine), told]), file=out, flush=True)
"""
_BESIDE_A_THREAD = """
done = threading.Event()
threading.Thread(target=done.wait).start()
with ProcessEngine(environ) as engine:
    print(json.dumps([kind_of_worker(engine) if run(engine, UnitKind.PLAN) else [], {}]))
done.set()
"""
_APPLY = """
with ProcessEngine(environ) as engine:
    print(json.dumps([kind_of_worker(engine) if run(engine, UnitKind.APPLY) else [], {}]))
"""
_STOPPED = """
signal.signal(signal.SIGTERM, lambda *_: print("the handler of the parent"))
with ProcessEngine(environ) as engine:
    print(json.dumps([["ForkedProcess"], run(engine, UnitKind.PLAN, lambda engine, worker: engine.stop())]))
"""
_KILLED = """
victims = []
def kill(engine, worker):
    if not victims:
        victims.append(worker)
        os.kill(worker, signal.SIGKILL)
with ProcessEngine(environ) as engine:
    print(json.dumps([["ForkedProcess"], run(engine, UnitKind.PLAN, kill)]))
"""


def run(
    code: str, root: Path, emulator: Emulator, first: str = "${env.SERVICE}"
) -> tuple[list[str], dict[str, list[object]]]:
    """What kind of processes the workers were, and how each unit of stacks a, b and c ended; ``first`` serves a."""
    services = {"a": first, "b": "${env.SERVICE}", "c": "${env.SERVICE}"}
    stacks = [write(root / name, "x", stack=name, endpoint=url) for name, url in services.items()]
    program = [sys.executable, "-c", _SETUP + code, emulator.url, *map(str, stacks)]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - ours
    assert ended.returncode == 0, ended.stderr
    kinds, told = json.loads(ended.stdout)
    return kinds, told


def test_plans_run_in_copies_of_a_process_with_one_thread(tmp_path: Path, emulator: Emulator) -> None:
    kinds, told = run(_PLAN, tmp_path, emulator)
    assert kinds == (["ForkedProcess"] if sys.platform == "linux" else ["Popen"])
    assert told == {name: ["done", {"create": 1}, []] for name in "abc"}


def test_a_process_without_standard_streams_can_be_copied(tmp_path: Path, emulator: Emulator) -> None:
    assert run(_WITHOUT_STREAMS, tmp_path, emulator)[1] == {name: ["done", {"create": 1}, []] for name in "abc"}


def test_no_process_with_several_threads_is_copied(tmp_path: Path, emulator: Emulator) -> None:
    assert run(_BESIDE_A_THREAD, tmp_path, emulator)[0] == ["Popen"]


def test_an_apply_runs_in_new_processes(tmp_path: Path, emulator: Emulator) -> None:
    assert run(_APPLY, tmp_path, emulator)[0] == ["Popen"]


def test_a_copy_that_is_told_to_stop_does_not_do_what_its_parent_would(tmp_path: Path, emulator: Emulator) -> None:
    with silent_service() as silent:
        _, told = run(_STOPPED, tmp_path, emulator, silent)
    assert told == {"a": ["interrupted", {}, []]}


def test_a_copy_that_dies_is_told_and_the_other_goes_on(tmp_path: Path, emulator: Emulator) -> None:
    with silent_service() as silent:
        _, told = run(_KILLED, tmp_path, emulator, silent)
    (summary,) = told["a"][2]  # type: ignore[misc]  # a list of texts
    assert "ended by signal 9 in the middle of its work" in summary
    assert told["b"] == told["c"] == ["done", {"create": 1}, []]
