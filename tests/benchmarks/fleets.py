"""Fleets: a look for drift in many stacks by one command, against one command for each, and against many zones."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.benchmarks.alternatives import MissingError, command, ours, ours_at_hand, version
from tests.benchmarks.launch import launch
from tests.benchmarks.processes import emulator
from tests.benchmarks.rounds import take_turns
from tests.benchmarks.row import Row, alone, compared, incomparable
from tests.benchmarks.stacks import write_octodns_zones, written_out
from tests.emulator.handle import Emulator
from tests.servers.ports import free_port
from tests.servers.proxy import distant

NAME = "fleet"

ALARMS = 50
_LATENCY = 20
_DRIFT = ("fleet", "drift", ".", "--detailed-exitcode")


def run(quick: bool) -> list[Row]:
    """Compare; ``quick`` takes a few stacks and one round."""
    stacks, one_by_one, rounds = (6, 3, 1) if quick else (200, 40, 3)
    program = ours_at_hand() if quick else ours("dask")
    with tempfile.TemporaryDirectory() as directory, ExitStack() as resources:
        service = resources.enter_context(emulator())
        port = resources.enter_context(distant(urlsplit(service.url).port or 0, _LATENCY))
        far, near = Path(directory) / "far", Path(directory) / "near"
        for home, url in ((far, f"http://127.0.0.1:{port}"), (near, service.url)):
            _declare(home, stacks, url)
            launch([program, "fleet", "apply", ".", "--auto-approve"], home)
            _drift_once(program, home)
        work = f"drift of {stacks} stacks with {ALARMS} alarms each"
        rows = _against_commands(work, program, far, service, stacks, one_by_one, rounds)
        rows.append(_on_dask(f"{work}, {_LATENCY} ms from the service, Dask", program, far, rounds))
        rows.append(_against_zones(work, program, near, Path(directory) / "zones", stacks, rounds))
    return rows


def _declare(home: Path, stacks: int, url: str) -> None:
    """So many stacks, each in a directory; their names tell far from near."""
    for number in range(stacks):
        path = home / f"stack-{number:03}"
        path.mkdir(parents=True)
        text = written_out(ALARMS, url).replace(b"stack: bench", f"stack: {home.name}-{number:03}".encode())
        (path / "stack.yaml").write_bytes(text)


def _drift_once(program: Path, home: Path) -> float:
    return launch([program, *_DRIFT], home).seconds


def _against_commands(
    work: str, program: Path, home: Path, service: Emulator, stacks: int, one_by_one: int, rounds: int
) -> list[Row]:
    names = [f"stack-{number:03}" for number in range(one_by_one)]
    one = shlex.join([str(program), "plan", "--refresh-only", "--detailed-exitcode"])
    listed = " ".join(names)
    sides = {
        "fleet": lambda: stacks / _drift_once(program, home),
        "loop": lambda: one_by_one / _shell(f"for name in {listed}; do {one} $name || exit; done", home),
        "xargs": lambda: one_by_one / _shell(f"printf '%s\\n' {listed} | xargs -P8 -n1 {one}", home),
    }
    rates = take_turns(sides, rounds)
    service.forget_requests()
    _drift_once(program, home)
    asked = len(service.requests())
    work = f"{work}, {_LATENCY} ms from the service"
    note = f"{asked} requests for {stacks} stacks; the others measured with {one_by_one}"
    options = {"unit": "stacks/s", "at_least": True}
    return [
        compared(work, "the command in a shell loop", rates["fleet"], rates["loop"], 8.0, note=note, **options),
        compared(work, "the command with xargs -P8", rates["fleet"], rates["xargs"], 2.0, **options),
    ]


def _shell(text: str, home: Path) -> float:
    return launch(["/bin/sh", "-c", f"{{ {text}; }} > output 2>&1"], home).seconds


def _on_dask(work: str, program: Path, home: Path, rounds: int) -> Row:
    with _cluster(home) as scheduler:
        on_dask = [program, *_DRIFT, "--engine", "dask", "--scheduler", scheduler]
        launch(on_dask, home)
        sides = {
            "dask": lambda: launch(on_dask, home).seconds,
            "processes": lambda: _drift_once(program, home),
        }
        taken = take_turns(sides, rounds)
    note = "two workers that are up already"
    return compared(work, "processes", taken["dask"], taken["processes"], 1.3, note=note)


@contextmanager
def _cluster(home: Path) -> Iterator[str]:
    """A scheduler and two workers on loopback."""
    scheduler = f"tcp://127.0.0.1:{free_port()}"
    program = [sys.executable, "-m"]
    worker = [*program, "distributed.cli.dask_worker", scheduler, "--no-nanny", "--no-dashboard", "--nthreads", "2"]
    commands: list[Sequence[str]] = [
        [*program, "distributed.cli.dask_scheduler", "--host", scheduler, "--no-dashboard"],
        [*worker, "--host", "127.0.0.1"],
        [*worker, "--host", "127.0.0.1"],
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    processes = [
        subprocess.Popen(each, cwd=home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - commands of ours
        for each in commands
    ]
    try:
        yield scheduler
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _against_zones(work: str, program: Path, home: Path, zones: Path, stacks: int, rounds: int) -> Row:
    against = f"octodns-sync, no changes, {stacks} zones with {ALARMS} A records each"
    try:
        sync = command("octodns", "octodns-sync")
    except MissingError as error:
        return incomparable(work, against, str(error))._replace(ours=alone(work, [_drift_once(program, home)]).ours)
    file = write_octodns_zones(zones, stacks, ALARMS)
    sides = {
        "ours": lambda: _drift_once(program, home),
        "theirs": lambda: launch([sync, "--config-file", file.name], zones).seconds,
    }
    taken = take_turns(sides, rounds)
    return compared(work, against, taken["ours"], taken["theirs"], 0.35, note=version(sync, "octodns"))
