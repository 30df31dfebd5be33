"""The fence at every shape of a run: once it has moved, the service sees nothing that was begun later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import Event

import pytest

from reconciler.apply.lease import LIFETIME
from reconciler.apply.options import BEGUN_AHEAD
from reconciler.apply.result import ApplyStatus
from reconciler.core.desired import Desired
from reconciler.core.duration import SECOND
from reconciler.core.operation import Operation
from reconciler.emulator.settings import Settings
from reconciler.ledger.protocol import Holder, Ledger
from reconciler.providers.protocol import Provider
from tests.apply.harness import Harness, start_harness
from tests.emulator.handle import Emulator
from tests.plan.fake_service import alarm, event

Start = Callable[[Settings], Emulator]


def break_lease(it: Harness) -> None:
    with closing(it.ledger()) as ledger:
        ledger.unlock()


def stolen(it: Harness) -> None:
    with closing(it.ledger()) as ledger:
        ledger.unlock()
        ledger.acquire("thief", "elsewhere", 1, it.clock.now(), LIFETIME)


def lapsed(it: Harness) -> None:
    it.clock.time += LIFETIME + 1


def stopped(it: Harness) -> None:
    """As a run is that was stopped and continued, or whose request waited long for its turn."""
    it.clock.time += 2 * SECOND
    stolen(it)


class Moving:
    """A provider during whose first request the fence moves, and a ledger that notes what was begun before."""

    def __init__(self, it: Harness, move: Callable[[Harness], None]) -> None:
        self._it, self._move, self._sent = it, move, count()
        self.moved = Event()
        self.begun: set[str] = set()

    def provider(self, provider: Provider) -> Provider:
        return _Through(provider, send=lambda operations: self._send(provider, operations))

    def ledger(self, ledger: Ledger) -> Ledger:
        return _Through(ledger, begin_attempts=lambda *arguments: self._begin(ledger, *arguments))

    def _send(self, provider: Provider, operations: Sequence[Operation]) -> object:
        if next(self._sent) == 0:
            try:
                self._move(self._it)
            finally:
                self.moved.set()
        self.moved.wait()  # requests beside it, else all might be sent before
        return provider.send(operations)

    def _begin(self, ledger: Ledger, holder: Holder, keys: Iterable[str], now: int) -> None:
        before, told = not self.moved.is_set(), list(keys)
        ledger.begin_attempts(holder, told, now)
        if before:
            self.begun.update(told)


class _Through:
    """Passes on every call but the ones given."""

    def __init__(self, real: object, **instead: object) -> None:
        self._real, self._instead = real, instead

    def __getattr__(self, name: str) -> object:
        return self._instead[name] if name in self._instead else getattr(self._real, name)


@pytest.mark.parametrize("parallelism", [1, 32])
@pytest.mark.parametrize("batch_size", [1, 100])
@pytest.mark.parametrize("make", [lambda n: alarm("a", f"{n:04}"), lambda n: event(f"e{n}")], ids=["alarms", "events"])
@pytest.mark.parametrize("move", [break_lease, stolen, lapsed, stopped])
def test_nothing_is_begun_after_the_fence_has_moved(
    start_emulator: Start,
    tmp_path: Path,
    move: Callable[[Harness], None],
    make: Callable[[int], Desired],
    batch_size: int,
    parallelism: int,
) -> None:
    it = start_harness(start_emulator, tmp_path, batch_size=batch_size, parallelism=parallelism)
    desired = [make(number) for number in range(parallelism * (2 + BEGUN_AHEAD) if batch_size == 1 else 350)]
    moving = Moving(it, move)
    it.wrap_provider, it.wrap_ledger = moving.provider, moving.ledger
    result = it.apply(desired)
    pushed = [item["annotations"]["reconciler_key"] for body in it.emulator.bodies("push") for item in body["events"]]
    assert set(pushed) <= moving.begun
    assert len(pushed) == len(set(pushed))
    late = move in (lapsed, stopped)  # the first request left too long after it was begun
    assert pushed or late
    if parallelism == 1:
        assert pushed == [] or not late
    if parallelism == 1 or batch_size == 1:
        assert result.ending is ApplyStatus.LEASE_LOST
        assert len(pushed) < len(desired)
