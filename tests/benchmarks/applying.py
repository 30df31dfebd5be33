"""Applying a plan to a service that costs nothing: what is left is our own cost, or the vendor's SDK's."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from threading import Event
from time import perf_counter
from types import MappingProxyType

from reconciler.apply.executor import apply_plan
from reconciler.apply.options import Options
from reconciler.config.load import load_stack
from reconciler.config.stack import Inputs
from reconciler.config.yaml.source_map import Source
from reconciler.core.operation import Operation, Outcome, Status
from reconciler.core.system_clock import SystemClock
from reconciler.emulator.settings import wall_clock
from reconciler.ledger.protocol import Behaviour, Entry, Holder, InFlight, Ledger, LedgerView, Run, RunState
from reconciler.ledger.sqlite import open_ledger
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan
from reconciler.providers.protocol import ProviderContext
from reconciler.providers.registry import Registry
from tests.benchmarks.alternatives import MissingError
from tests.benchmarks.no_content import Server, distant, no_content
from tests.benchmarks.rounds import take_turns
from tests.benchmarks.row import Row, alone, compared, incomparable
from tests.benchmarks.stacks import for_each
from tests.benchmarks.vendor import pusher

NAME = "applying"

_BATCH = 100
_LATENCY = 20
_NEAR, _FAR = 4, 32
"""Requests running at once: the default; and what a service that is far away is worth, by ``--parallelism``."""


def run(quick: bool) -> list[Row]:
    """Compare; ``quick`` takes a hundredth of the alarms and one round."""
    alarms, rounds = (200, 1) if quick else (20_000, 7)
    rows = []
    with no_content() as server:
        rows += _against_the_sdk(server, alarms, rounds, _NEAR, 2.0, "")
        rows += _journal(server, alarms, rounds)
    with distant(_LATENCY) as server:
        rows += _against_the_sdk(server, alarms, max(1, rounds // 2), _FAR, 8.0, f" {_LATENCY} ms away")
    return rows


def _against_the_sdk(
    server: Server, alarms: int, rounds: int, parallelism: int, target: float, where: str
) -> list[Row]:
    plan = planned(server.url, alarms)
    options = Options(verify=False, parallelism=parallelism)
    work = f"apply {alarms:,} alarms, batches of {_BATCH}, journal on, {parallelism} requests at once{where}"
    against = "the vendor's SDK in a loop, same batches"
    sides: dict[str, Callable[[], float]] = {"ours": lambda: apply_once(plan, server.url, options)}
    try:
        push = pusher(server.url, [operation.payload for operation in plan.operations], _BATCH)
    except MissingError as error:
        mine = [alarms / each for each in take_turns(sides, rounds)["ours"]]
        return [incomparable(work, against, str(error))._replace(ours=alone("", mine).ours, unit="events/s")]
    sides["theirs"] = lambda: _seconds(push)
    taken = take_turns(sides, rounds)
    rates = {side: [alarms / each for each in seconds] for side, seconds in taken.items()}
    note = f"server: {server.name}"
    return [compared(work, against, rates["ours"], rates["theirs"], target, unit="events/s", at_least=True, note=note)]


def _journal(server: Server, alarms: int, rounds: int) -> list[Row]:
    plan = planned(server.url, alarms)
    options = Options(verify=False, parallelism=_NEAR)
    sides = {
        "with": lambda: apply_once(plan, server.url, options),
        "without": lambda: apply_once(plan, server.url, options, lambda _: _NoLedger()),
    }
    taken = take_turns(sides, rounds)
    rates = {side: [alarms / each for each in seconds] for side, seconds in taken.items()}
    work = f"apply {alarms:,} alarms, batches of {_BATCH}, journal on"
    return [compared(work, "the same without it", rates["with"], rates["without"], 0.7, unit="events/s", at_least=True)]


def _seconds(work: Callable[[], object]) -> float:
    begun = perf_counter()
    work()
    return perf_counter() - begun


def _open_file(directory: Path) -> Ledger:
    return open_ledger(directory / "bench.db")


def apply_once(plan: Plan, url: str, options: Options, opened: Callable[[Path], Ledger] = _open_file) -> float:
    """Seconds from a plan, its providers and its ledger at hand, to its result; everything is sent and journalled."""
    with tempfile.TemporaryDirectory() as directory:
        ledger = opened(Path(directory))
        provider = _open(url, options.parallelism or _NEAR)
        clock = SystemClock()
        with closing(provider), closing(ledger):
            holder = ledger.acquire("bench", "bench", os.getpid(), clock.now(), 1_000_000)
            begun = perf_counter()
            result = apply_plan(plan, {"aom": provider}, ledger, holder, clock=clock, stop=Event(), options=options)
            taken = perf_counter() - begun
        if result.remaining:
            raise RuntimeError(f"{len(result.remaining)} changes were not applied: {result.cause}")
        return taken


def planned(url: str, alarms: int) -> Plan:
    registry = Registry()
    stack = load_stack([Source("stack.yaml", for_each(alarms, url))], Path(), tuple(registry), Inputs())
    return make_plan("bench", stack.desired, [], SystemClock().now(), types=registry.resource_types())


def _open(url: str, parallelism: int):  # type: ignore[no-untyped-def]
    kind = Registry().get("aom")
    assert kind is not None
    settings = {"endpoint": url, "project_id": "demo", "auth": {"token": "not-a-secret"}, "parallelism": parallelism}
    return kind.open("aom", kind.settings.model_validate(settings), ProviderContext("benchmark", wall_clock))


class _NoLedger:
    """A ledger that writes nothing down."""

    is_shared = False

    def acquire(self, owner: str, host: str, pid: int, now: int, lifetime: int) -> Holder:
        return Holder(owner, host, pid, now, now + lifetime, 1)

    def renew(self, holder: Holder, now: int, lifetime: int) -> Holder:
        return holder

    def release(self, holder: Holder) -> None: ...

    def holder(self, now: int) -> Holder | None:
        return None

    def unlock(self) -> Holder | None:
        return None

    def begin(self, holder: Holder, run: Run) -> None: ...

    def record_intents(self, holder: Holder, run: str, operations: Sequence[Operation], now: int) -> None: ...

    def begin_attempts(self, holder: Holder, keys: Iterable[str], now: int) -> None: ...

    def record_outcomes(self, outcomes: Iterable[Outcome], now: int) -> None: ...

    def confirm(self, keys: Iterable[str], now: int, shown: Mapping[str, str] = MappingProxyType({})) -> None: ...

    def shown(self, keys: Iterable[str]) -> Mapping[str, str]:
        return {}

    def end(self, run: str, state: RunState, now: int) -> None: ...

    def learn(self, target: str, behaviour: Behaviour, now: int) -> None: ...

    def behaviour(self, target: str) -> Behaviour:
        return Behaviour()

    def open_intents(self) -> Sequence[Entry]:
        return ()

    def in_flight(self, now: int) -> Mapping[str, InFlight]:
        return {}

    def statuses(self, keys: Iterable[str]) -> Mapping[str, Status]:
        return {}

    def view(self, now: int, visible_within: int, targets: Mapping[str, str] | None = None) -> LedgerView:
        return LedgerView()

    def runs(self) -> Sequence[Run]:
        return ()

    def entries(self, run: str) -> Sequence[Entry]:
        return ()

    def batch(self) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None: ...
