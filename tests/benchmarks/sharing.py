"""A ledger that is shared, against a file: what the network and the database cost an apply, and a look at the past."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import perf_counter

from reconciler.apply.options import Options
from reconciler.core.operation import Outcome, Status
from reconciler.ledger.location import Location, open_at, read_at
from reconciler.ledger.protocol import Ledger, Run, RunState
from tests.benchmarks.applying import apply_once, planned
from tests.benchmarks.journal import sample
from tests.benchmarks.no_content import no_content
from tests.benchmarks.rounds import take_turns
from tests.benchmarks.row import Row, compared
from tests.servers import postgres, s3
from tests.servers.proxy import distant

NAME = "sharing"

_NOW = 1_767_225_600_000
_LATENCY = 5
_OPENING_S = 0.5
_BATCH = 1_000


def _postgres() -> str:
    return postgres.server(durable=True).schema()


def _seaweedfs() -> str:
    return s3.seaweedfs().prefix()


@contextmanager
def _far_postgres() -> Iterator[Callable[[], str]]:
    port = postgres.server(durable=True).port
    with distant(port, _LATENCY) as proxy:
        yield lambda: _postgres().replace(f":{port}/", f":{proxy}/")


@contextmanager
def _far_seaweedfs() -> Iterator[Callable[[], str]]:
    with distant(s3.seaweedfs().port, _LATENCY) as proxy:
        yield lambda: s3.seaweedfs().prefix(proxy)


STORES: dict[str, Callable[[], str]] = {"PostgreSQL": _postgres, "SeaweedFS": _seaweedfs}
"""What gives the URL of an empty ledger, by the name of the store."""

FAR = {"PostgreSQL": _far_postgres, "SeaweedFS": _far_seaweedfs}
"""The same from a distance."""

TARGETS = {"PostgreSQL": 0.7, "SeaweedFS": 0.5}
"""The share of a file's rate aimed at."""

FAR_TARGET = 0.4


def run(quick: bool) -> list[Row]:
    """Compare; ``quick`` takes a hundredth of the operations and one round."""
    alarms, rounds, past = (200, 1, 1_000) if quick else (20_000, 5, 100_000)
    rows = []
    for store, url in STORES.items():
        rows.append(_applied(f"{store} on loopback", alarms, rounds, url, TARGETS[store]))
    for store, far in FAR.items():
        with far() as url:
            rows.append(_applied(f"{store} {_LATENCY} ms away", alarms, max(1, rounds // 2), url, FAR_TARGET))
    for store, url in STORES.items():
        rows.append(_opened(store, past, rounds, url()))
    return rows


def _applied(where: str, alarms: int, rounds: int, url: Callable[[], str], target: float) -> Row:
    def opened(_: Path) -> Ledger:
        return open_at(Location(url(), "bench"))

    with no_content() as server:
        plan, options = planned(server.url, alarms), Options(verify=False, parallelism=4)
        sides = {
            "shared": lambda: apply_once(plan, server.url, options, opened),
            "file": lambda: apply_once(plan, server.url, options),
        }
        taken = take_turns(sides, rounds)
    rates = {side: [alarms / each for each in seconds] for side, seconds in taken.items()}
    work = f"apply {alarms:,} alarms, ledger in {where}"
    return compared(
        work, "the same with a file", rates["shared"], rates["file"], target, unit="events/s", at_least=True
    )


def _opened(store: str, count: int, rounds: int, url: str) -> Row:
    location = Location(url, "bench")
    with closing(open_at(location)) as ledger:
        holder = ledger.acquire("bench", "bench", os.getpid(), _NOW, 1_000_000)
        ledger.begin(holder, Run("run", "plan", "apply", _NOW, None, RunState.RUNNING))
        for start in range(0, count, _BATCH):
            batch = [sample(number) for number in range(start, start + _BATCH)]
            keys = [operation.key for operation in batch]
            ledger.record_intents(holder, "run", batch, _NOW)
            ledger.begin_attempts(holder, keys, _NOW)
            ledger.record_outcomes([Outcome(key, Status.DONE) for key in keys], _NOW)
            ledger.confirm(keys, _NOW)
        ledger.end("run", RunState.DONE, _NOW)

    def read_view() -> float:
        begun = perf_counter()
        with closing(read_at(location)) as reader:
            reader.view(_NOW, 60_000, {"aom": "here"})
        return perf_counter() - begun

    work = f"open a ledger of {count:,} operations in {store}, and view the past"
    taken = take_turns({"ours": read_view}, rounds)["ours"]
    longest = [_OPENING_S] * len(taken)
    return compared(work, f"{_OPENING_S} s", taken, longest, 1.0)
