"""A rate that processes share: what is bought, what is used, and what is lost."""

from __future__ import annotations

import itertools

from reconciler.ledger.rate import SharedRate


class Market:
    """Sells instants as a store does, on a clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1_000.0
        self.free_at = 0.0
        self.sold: list[int] = []

    def buy(self, rate: float, count: int) -> float:
        begin = max(self.free_at, self.time)
        self.free_at = begin + count / rate
        self.sold.append(count)
        return begin - self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def rate(self, rate: float) -> SharedRate:
        return SharedRate(rate, self.buy, seconds=lambda: self.time, sleep=self.sleep)


def begun(market: Market, rate: SharedRate, count: int, busy: float = 0.0) -> list[float]:
    """When so many requests began, each of which takes ``busy`` seconds."""
    times = []
    for _ in range(count):
        rate.try_acquire()
        times.append(market.time)
        market.time += busy
    return times


def test_requests_begin_at_even_distances() -> None:
    market = Market()
    times = begun(market, market.rate(20), 60)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert all(abs(gap - 0.05) < 1e-6 for gap in gaps)


def test_the_handful_grows_to_half_a_second_of_the_rate_while_all_of_it_is_used() -> None:
    market = Market()
    begun(market, market.rate(20), 60)
    assert market.sold == [1, 2, 4, 8, 10, 10, 10, 10, 10]


def test_a_slow_process_buys_less_so_that_nothing_is_kept_from_the_others() -> None:
    market = Market()
    rate = market.rate(20)
    begun(market, rate, 60)
    market.sold.clear()
    begun(market, rate, 40, busy=2)
    assert max(market.sold[-10:]) <= 2


def test_an_instant_that_passed_unused_is_lost() -> None:
    market = Market()
    rate = market.rate(20)
    begun(market, rate, 30)
    market.time += 60
    times = begun(market, rate, 10)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert min(gaps) > 0.0499


def test_processes_take_turns() -> None:
    market = Market()
    first, second = market.rate(10), market.rate(10)
    times = sorted(begun(market, first, 10) + begun(market, second, 10))
    assert all(after - before > 0.0999 for before, after in itertools.pairwise(times))


def test_a_process_that_dies_keeps_the_others_waiting_for_half_a_second_at_most() -> None:
    market = Market()
    begun(market, market.rate(20), 36)
    died_at = market.time
    assert market.free_at - died_at > 0.3
    (first,) = begun(market, market.rate(20), 1)
    assert first - died_at <= 0.5
