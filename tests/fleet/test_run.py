"""A fleet goes to its end whatever becomes of one stack; waves, limits on failures, interrupts (rule 13)."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.app.run_unit import run_unit
from reconciler.app.unit import Unit, UnitKind
from reconciler.apply.lease import LIFETIME
from reconciler.ledger.sqlite import open_ledger
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write, write_fleet
from tests.emulator.handle import Emulator
from tests.fleet.fleets import PausingProxy, by_name, fleet_json, silent_service
from tests.servers.ports import free_port

GOOD = ("a", "b", "c")


def active(emulator: Emulator) -> list[str]:
    """The stacks whose alarm is active, by its metadata."""
    return sorted(alarm["metadata"]["reconciler_stack"] for alarm in emulator.active_alarms())


def test_what_is_wrong_with_some_stacks_is_told_and_the_others_are_applied(tmp_path: Path, emulator: Emulator) -> None:
    with silent_service() as silent:
        root = write_fleet(tmp_path, emulator.url, *GOOD, "broken", "leased")
        write(root / "stacks/down", "a", stack="down", endpoint=f"http://127.0.0.1:{free_port()}")
        write(root / "stacks/hangs", "a", stack="hangs", endpoint=silent)
        file = root / "stacks/broken/stack.yaml"
        file.write_text(file.read_text().replace("resources:", "resorces:"))
        state = root / "stacks/leased/.reconciler"
        state.mkdir()
        with closing(open_ledger(state / "leased.db")) as ledger:
            ledger.acquire("bob", "elsewhere", 1, int(time.time() * 1000), 60 * LIFETIME)
            done, report = fleet_json("apply", root, "--auto-approve", "--parallelism", "3", "--deadline", "5s")
    states = by_name(report)
    assert {name: states[name] for name in GOOD} == dict.fromkeys(GOOD, "done")
    assert active(emulator) == sorted(GOOD)
    assert {name: states[name] for name in states if name not in GOOD} == {
        "broken": "failed",
        "down": "failed",
        "hangs": "timed out",
        "leased": "leased",
    }
    told = {name: found[0]["summary"] for name, found in by_name(report, "diagnostics").items() if found}
    assert told["broken"] == 'unknown key "resorces"'
    assert told["hangs"] == "it did not end within 5s: it was asked to stop, and stopped"
    assert told["leased"].startswith("another run holds the lease on this stack: bob on elsewhere")
    assert "request: GET http://127.0.0.1" in told["down"] or "request: POST http://127.0.0.1" in told["down"]
    codes = {"broken": 1, "down": 1, "hangs": 1, "leased": 5}
    assert by_name(report, "exit_code") == {**dict.fromkeys(GOOD, 0), **codes}
    assert done.code == report["exit_code"] == 1
    assert f"[{len(states)}/{len(states)}] " in done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_fleet_stops_cleanly_and_is_continued_by_the_next(
    tmp_path: Path, emulator: Emulator, number: signal.Signals
) -> None:
    with PausingProxy(emulator.url) as proxy:
        root = write_fleet(tmp_path, proxy.url, *"abcd")
        command = ["fleet", "apply", str(root), "--auto-approve", "--parallelism", "2"]
        process = subprocess.Popen(  # noqa: S603 - a command of ours
            [sys.executable, "-m", "reconciler", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        assert process.stderr is not None
        assert proxy.arrived.acquire(timeout=60)
        assert proxy.arrived.acquire(timeout=60)  # both workers are sending
        process.send_signal(number)
        assert process.stderr.readline().startswith("Interrupted: running stacks stop cleanly")
        proxy.open.set()
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "2 not run.\n" in out
        assert active(emulator) == ["a", "b"]
        _, status = fleet_json("status", root)
        assert set(by_name(status, "holder").values()) == {None}
        again, _ = fleet_json("apply", root, "--auto-approve")
        assert again.code == 0
    assert active(emulator) == [*"abcd"]
    assert len(emulator.requests("push")) == 4


def test_when_the_command_is_killed_its_workers_stop_cleanly(tmp_path: Path, emulator: Emulator) -> None:
    with PausingProxy(emulator.url) as proxy:
        root = write_fleet(tmp_path, proxy.url, *"abc")
        command = ["fleet", "apply", str(root), "--auto-approve", "--parallelism", "2"]
        with subprocess.Popen([sys.executable, "-m", "reconciler", *command]) as process:  # noqa: S603 - of ours
            assert proxy.arrived.acquire(timeout=60)
            assert proxy.arrived.acquire(timeout=60)  # both workers are sending
            process.kill()
        proxy.open.set()
        units = [Unit(UnitKind.STATUS, str(root / "stacks" / name)) for name in "abc"]
        while any(run_unit(unit).holder is not None for unit in units):
            time.sleep(0.05)
    assert active(emulator) == ["a", "b"]


def test_a_wave_begins_when_the_one_before_has_ended(tmp_path: Path, emulator: Emulator) -> None:
    waves = "waves: [{name: canary, stacks: [stacks/z]}, {name: half, stacks: [stacks/b, stacks/c]}]\n"
    root = write_fleet(tmp_path, emulator.url, "a", "b", "c", "z", file=waves)
    done, report = fleet_json("apply", root, "--auto-approve")
    assert done.code == 0
    order = [body[0]["metadata"]["reconciler_stack"] for body in map(_events, emulator.bodies("push"))]
    assert order[0] == "z"
    assert sorted(order[1:3]) == ["b", "c"]
    assert order[3] == "a"
    assert by_name(report, "wave") == {"z": "canary", "b": "half", "c": "half", "a": "rest"}


@pytest.mark.parametrize(("stop_on", "state"), [("failure", "not run"), ("never", "done")])
def test_a_failure_in_a_wave_keeps_later_waves_from_beginning_unless_told_otherwise(
    tmp_path: Path, emulator: Emulator, stop_on: str, state: str
) -> None:
    waves = f"waves: [{{name: canary, stacks: [stacks/bad, stacks/good], stop_on: {stop_on}}}]\n"
    root = write_fleet(tmp_path, emulator.url, "bad", "good", "later", file=waves)
    (root / "stacks/bad/stack.yaml").write_text("stack: [\n")
    done, report = fleet_json("apply", root, "--auto-approve", "--parallelism", "1")
    assert by_name(report) == {"bad": "failed", "good": "done", "later": state}
    assert done.code == 1


def test_after_max_failures_no_further_stack_begins(tmp_path: Path, emulator: Emulator) -> None:
    root = write_fleet(tmp_path, emulator.url, *"abcdef", file="max_failures: 2\nmax_parallel: 1\n")
    for name in "bcd":
        (root / "stacks" / name / "stack.yaml").write_text("stack: [\n")
    _, report = fleet_json("apply", root, "--auto-approve")
    assert [*by_name(report).values()] == ["done", "failed", "failed", "not run", "not run", "not run"]
    assert by_name(report, "diagnostics")["d"][0]["summary"] == "the limit of 2 failed stacks is reached"
    _, report = fleet_json("apply", root, "--auto-approve", "--max-failures", "9")
    assert [*by_name(report).values()] == ["done", "failed", "failed", "failed", "done", "done"]
    _, report = fleet_json("apply", root, "--auto-approve", "--max-failures", "1")
    assert by_name(report, "diagnostics")["c"][0]["summary"] == "the limit of 1 failed stack is reached"


def test_an_unwatched_fleet_tells_a_line_for_each_stack(tmp_path: Path, emulator: Emulator) -> None:
    root = write_fleet(tmp_path, emulator.url, "a", "b")
    done = reconciler("fleet", "plan", root, "--parallelism", "1", "--detailed-exitcode")
    assert done.code == 2
    lines = done.err.splitlines()
    assert lines[0].startswith(f"[1/2] {root}/stacks/a: changes: 1 to create  (")
    assert ", process " in lines[0]
    assert done.out.endswith("2 stacks: 2 planned (2 to create).\n")


def _events(body: object) -> list[dict[str, dict[str, str]]]:
    assert isinstance(body, dict)
    events: list[dict[str, dict[str, str]]] = body["events"]
    return events


@pytest.mark.parametrize("value", ["[3]", "many"])
def test_a_variable_of_the_wrong_type_is_an_error_at_its_place_in_the_fleet_file(
    tmp_path: Path, emulator: Emulator, value: str
) -> None:
    file = f"environments:\n  prod:\n    variables: {{size: {value}}}\n"
    root = write_fleet(tmp_path, emulator.url, "a", file=file)
    stack = root / "stacks/a/stack.yaml"
    stack.write_text(f"{stack.read_text()}\nvariables: {{size: {{type: number}}}}\n")
    _, report = fleet_json("plan", root)
    [found] = report["stacks"][0]["diagnostics"]
    assert found["summary"].startswith("variable size must be a number; what is given by the fleet file is ")
    assert found["position"] == {"file": str(root / "fleet.yaml"), "line": 4, "column": 17}


def test_a_variable_that_a_stack_does_not_declare_is_an_error_at_its_place_in_the_fleet_file(
    tmp_path: Path, emulator: Emulator
) -> None:
    root = write_fleet(
        tmp_path, emulator.url, "a", file="environments:\n  prod:\n    variables:\n      size: 3\n      name: x\n"
    )
    _, report = fleet_json("plan", root)
    told = [(found["severity"], found["summary"], found["position"]) for found in report["stacks"][0]["diagnostics"]]
    file = str(root / "fleet.yaml")
    assert told == [
        ("error", 'there is no variable "name"', {"file": file, "line": 6, "column": 7}),
        ("error", 'there is no variable "size"', {"file": file, "line": 5, "column": 7}),
    ]
