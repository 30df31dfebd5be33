"""What the journal costs: its share of the time in which a batch is applied at the rate aimed at."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple

from reconciler.core.address import Address
from reconciler.core.digest import digest
from reconciler.core.operation import Operation, Outcome, Status, Verb
from reconciler.ledger.protocol import Run, RunState
from reconciler.ledger.sqlite import open_ledger, read_ledger
from tests.benchmarks.row import Row, compared

NAME = "journal"

_BATCH = 100
_NOW = 1_767_225_600_000
_RATE = 60_000  # operations a second, without the journal


class _Seconds(NamedTuple):
    journalling: float
    processor: float
    closing: float
    planning: float


def run(quick: bool) -> list[Row]:
    """Journal intents and outcomes, batch by batch; ``quick`` takes a tenth of the operations and fewer rounds."""
    count, rounds = (2_000, 2) if quick else (20_000, 5)
    operations = [sample(number) for number in range(count)]
    seconds = [_round(operations) for _ in range(rounds)]
    budget = count / _RATE
    against = f"the time to send them at {_RATE:,} a second"

    def row(work: str, taken: list[float]) -> Row:
        each = f"{median(taken) / count * 1e6:.1f} µs an operation"
        return compared(work, against, taken, [budget] * rounds, note=each)

    what = f"{count:,} operations in batches of {_BATCH}"
    return [
        row(
            f"journal {what}, each call durable (an apply makes a tenth as many)",
            [each.journalling for each in seconds],
        ),
        row("the same, processor time", [each.processor for each in seconds]),
        row("close the ledger after them", [each.closing for each in seconds]),
        row("open it for a plan, and view the past", [each.planning for each in seconds]),
    ]


def _round(operations: list[Operation]) -> _Seconds:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bench.db"
        ledger = open_ledger(path)
        holder = ledger.acquire("bench", "bench", os.getpid(), _NOW, 1_000_000)
        ledger.begin(holder, Run("run", "plan", "apply", _NOW, None, RunState.RUNNING))
        batches = [operations[start : start + _BATCH] for start in range(0, len(operations), _BATCH)]
        outcomes = [[Outcome(operation.key, Status.DONE) for operation in batch] for batch in batches]
        begun, processor = perf_counter(), process_time()
        for batch, outcome in zip(batches, outcomes, strict=True):
            ledger.record_intents(holder, "run", batch, _NOW)
            ledger.begin_attempts(holder, [operation.key for operation in batch], _NOW)
            ledger.record_outcomes(outcome, _NOW)
        ledger.confirm([operation.key for operation in operations], _NOW)
        ledger.end("run", RunState.DONE, _NOW)
        journalled, processor = perf_counter(), process_time() - processor
        ledger.close()
        closed = perf_counter()
        reader = read_ledger(path)
        reader.view(_NOW, 60_000)
        reader.close()
        return _Seconds(journalled - begun, processor, closed - journalled, perf_counter() - closed)


def sample(number: int) -> Operation:
    """An alarm as it is pushed, marks and all: half a kB of JSON."""
    address = Address("aom_alarm", "latency", f"ecs-{number}")
    key = digest(["key", number])
    payload = (
        '{"starts_at":1767225600000,"timeout":1800000,"metadata":{"event_name":"checkout_latency_high",'
        '"event_severity":"Major","event_type":"alarm","resource_provider":"ecs","resource_type":"vm",'
        f'"resource_id":"ecs-{number}","reconciler_stack":"bench","reconciler_address":"aom_alarm.latency[{number}]"'
        f'}},"annotations":{{"message":"p99 above 2 s on ecs-{number}","reconciler_digest":"{digest(number)}",'
        f'"reconciler_key":"{key}","reconciler_run":"{digest("run")}"}}}}'
    )
    return Operation(key, address, "aom", Verb.PUSH, payload, digest(number))
