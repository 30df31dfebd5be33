"""The rate limit of a provider, on a clock that moves when somebody sleeps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import pyrate_limiter
import pytest

from reconciler.emulator.settings import wall_clock
from reconciler.providers.aom import PROVIDER as AOM
from reconciler.providers.ces import PROVIDER as CES
from reconciler.providers.protocol import ProviderContext
from reconciler.providers.throttle import throttle
from tests.providers.ces.objects import desired


class Sleeper:
    """Time that passes only for sleepers, in milliseconds."""

    def __init__(self) -> None:
        self.time = 0.0
        self._lock = Lock()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.time += seconds * 1000


@pytest.fixture
def sleeper(monkeypatch: pytest.MonkeyPatch) -> Sleeper:
    made = Sleeper()
    monkeypatch.setattr(pyrate_limiter.limiter, "sleep", made.sleep)
    monkeypatch.setattr(pyrate_limiter.MonotonicClock, "now", lambda self: int(made.time))
    return made


@pytest.mark.parametrize(("rate", "gap"), [(0.0001, 10_000_000), (0.25, 4000), (2.5, 400), (10, 100), (50, 20)])
def test_requests_begin_at_even_distances(sleeper: Sleeper, rate: float, gap: int) -> None:
    limiter = throttle(rate)
    begun = []
    for _ in range(5):
        limiter.try_acquire()
        begun.append(round(sleeper.time))
    assert begun == [0, gap, 2 * gap, 3 * gap, 4 * gap]


def test_a_fraction_of_a_millisecond_counts(sleeper: Sleeper) -> None:
    limiter = throttle(3000)
    for _ in range(3030):
        limiter.try_acquire()
    assert 1000 <= sleeper.time <= 1005


def test_threads_share_one_rate(sleeper: Sleeper) -> None:
    limiter = throttle(10)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: limiter.try_acquire(), range(20)))
    assert sleeper.time >= 1900


@pytest.mark.parametrize(("kind", "declared"), [(AOM, ()), (CES, (desired(),))])
def test_every_request_of_a_provider_waits_for_its_turn(emulator, sleeper: Sleeper, kind, declared) -> None:
    block = {"endpoint": emulator.url, "project_id": "p", "auth": {"token": "t"}, "rate_limit": 2}
    provider = kind.open(kind.name, kind.settings.model_validate(block), ProviderContext("test", wall_clock))
    for _ in range(3):
        list(provider.observe("stack", declared))
    provider.close()
    asked = len(emulator.requests())
    assert asked >= 3
    assert round(sleeper.time) == (asked - 1) * 500
