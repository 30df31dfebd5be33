"""One large stack, applied in shards: two Dask workers against one, with a PostgreSQL ledger, to a server nearby."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from distributed import Client

from reconciler.plan.shards import SHARD_SIZE
from tests.benchmarks.no_content import no_content
from tests.benchmarks.row import Row, compared
from tests.benchmarks.stacks import for_each
from tests.servers import postgres
from tests.servers.ports import free_port

NAME = "shards"

_GIB = 2**30


class _Taken(NamedTuple):
    seconds: float
    client: int
    worker: int


def run(quick: bool) -> list[Row]:
    """Compare; ``quick`` takes a hundredth of the alarms."""
    alarms, rounds = (10_000, 1) if quick else (1_000_000, 3)
    return measured(alarms, rounds)


def measured(alarms: int, rounds: int) -> list[Row]:
    one, two = list[_Taken](), list[_Taken]()
    for _ in range(rounds):
        one.append(_apply(alarms, 1))
        two.append(_apply(alarms, 2))
    work = f"apply {alarms:,} alarms of one stack in shards"
    client = [max(each.client for each in pair) / _GIB for pair in zip(one, two, strict=True)]
    worker = [max(each.worker for each in pair) / _GIB for pair in zip(one, two, strict=True)]
    return [
        compared(
            f"{work}, two workers", "one worker", [each.seconds for each in two], [each.seconds for each in one], 0.7
        ),
        compared(f"{work}: peak memory of the client", "2.5 GiB", client, [2.5] * rounds, 1.0, unit="GiB"),
        compared(f"{work}: peak memory of a worker", "0.5 GiB", worker, [0.5] * rounds, 1.0, unit="GiB"),
    ]


def _apply(alarms: int, workers: int) -> _Taken:
    """A cluster, a server and a schema of its own for each, so that none finds what another left."""
    with (
        tempfile.TemporaryDirectory() as directory,
        no_content() as service,
        _cluster(Path(directory), workers) as scheduler,
    ):
        file = Path(directory) / "stack.yaml"
        file.write_bytes(for_each(alarms, service.url))
        ledger = postgres.server(durable=True).schema()
        size = min(SHARD_SIZE, alarms // 40)
        arguments = [str(workers), str(size), str(file), ledger, scheduler]
        command = [sys.executable, "-m", "tests.benchmarks.shard_run", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a command of ours
        if done.returncode:
            raise RuntimeError(done.stderr)
        return _Taken(*json.loads(done.stdout))


@contextmanager
def _cluster(directory: Path, workers: int) -> Iterator[str]:
    """The address of a scheduler that has so many workers, each a process with one thread."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    common = ["--no-dashboard"]
    with ExitStack() as processes:
        processes.enter_context(_running("scheduler", "--host", "127.0.0.1", "--port", str(port), *common))
        for number in range(workers):
            place = str(directory / f"worker-{number}")
            options = ("--nworkers", "1", "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")
            processes.enter_context(_running("worker", address, *options, "--local-directory", place, *common))
        with Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
        yield address


@contextmanager
def _running(*arguments: str) -> Iterator[None]:
    dask: Sequence[str] = [str(Path(sys.executable).with_name("dask")), *arguments]
    process = subprocess.Popen(dask, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - a command of ours
    try:
        yield
    finally:
        process.kill()
        process.wait()
