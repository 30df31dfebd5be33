"""``within`` and ``for``, with a clock that stands still until somebody waits."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest

from reconciler.checks.poll import QUERY_RETRY_LIMIT, CheckStatus, PollResult, ProbeResult, poll_until
from reconciler.core.duration import SECOND

TRUE, FALSE = ProbeResult(True), ProbeResult(False)
AWAY = ProbeResult(None)
BUSY = ProbeResult(None, transient=True)


class FakeClock:
    """Time that passes only where somebody waits; ``stop_at`` interrupts a wait."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.time = 0
        self.waits: list[int] = []
        self._stop_at = stop_at

    def now(self) -> int:
        return self.time

    def monotonic(self) -> int:
        return self.now()

    def pause(self, milliseconds: int, stop: Event) -> bool:
        self.waits.append(milliseconds)
        self.time += milliseconds
        if self._stop_at is not None and self.time >= self._stop_at:
            stop.set()
        return stop.is_set()


def run(
    seen: Callable[[int], ProbeResult], within: int = 0, hold: int = 0, clock: FakeClock | None = None
) -> PollResult:
    """Watch what is seen as a function of the milliseconds that have passed."""
    clock = clock or FakeClock()
    return poll_until(lambda: seen(clock.time), clock, Event(), within=within, hold=hold)


def test_without_within_there_is_one_look() -> None:
    assert run(lambda _: TRUE) == PollResult(CheckStatus.PASSED, 1, 0)
    assert run(lambda _: FALSE) == PollResult(CheckStatus.FAILED, 1, None)


def test_within_waits_until_it_holds() -> None:
    watched = run(lambda now: ProbeResult(now >= 3 * SECOND), within=10 * SECOND)
    assert watched.status is CheckStatus.PASSED
    assert watched.held_after is not None
    assert 3 * SECOND <= watched.held_after <= 6 * SECOND


def test_within_takes_a_last_look_when_it_ends_and_none_after() -> None:
    clock = FakeClock()
    assert run(lambda _: FALSE, within=10 * SECOND, clock=clock).status is CheckStatus.FAILED
    assert clock.time == 10 * SECOND
    assert run(lambda now: ProbeResult(now == 10 * SECOND), within=10 * SECOND).status is CheckStatus.PASSED


def test_for_wants_it_to_hold_to_the_end() -> None:
    clock = FakeClock()
    assert run(lambda _: TRUE, hold=30 * SECOND, clock=clock).status is CheckStatus.PASSED
    assert clock.time == 30 * SECOND
    assert run(lambda now: ProbeResult(now < 29 * SECOND), hold=30 * SECOND).status is CheckStatus.FAILED


def test_for_may_begin_anew_while_there_is_time() -> None:
    def flickers(now: int) -> ProbeResult:
        return ProbeResult(not 2 * SECOND <= now < 4 * SECOND)

    clock = FakeClock()
    assert run(flickers, within=10 * SECOND, hold=5 * SECOND, clock=clock).status is CheckStatus.PASSED
    assert clock.time >= 9 * SECOND
    assert run(flickers, within=1 * SECOND, hold=5 * SECOND).status is CheckStatus.FAILED


def test_for_may_end_after_within_has() -> None:
    watched = run(lambda now: ProbeResult(now >= 8 * SECOND), within=10 * SECOND, hold=60 * SECOND)
    assert watched.status is CheckStatus.PASSED


def test_a_service_that_can_not_be_asked_is_never_taken_for_a_no_or_a_yes() -> None:
    assert run(lambda _: AWAY).status is CheckStatus.UNKNOWN
    assert run(lambda _: AWAY, within=60 * SECOND).status is CheckStatus.UNKNOWN
    assert run(lambda now: FALSE if now else AWAY, within=SECOND).status is CheckStatus.FAILED


def test_a_busy_service_is_asked_again_even_without_within() -> None:
    clock = FakeClock()
    assert run(lambda now: TRUE if now > 3 * SECOND else BUSY, clock=clock).status is CheckStatus.PASSED
    clock = FakeClock()
    assert run(lambda _: BUSY, clock=clock).status is CheckStatus.UNKNOWN
    assert clock.time == QUERY_RETRY_LIMIT


def test_a_service_that_names_its_pause_gets_it() -> None:
    clock = FakeClock()
    run(lambda now: TRUE if now else ProbeResult(None, transient=True, retry_after=7 * SECOND), clock=clock)
    assert clock.waits == [7 * SECOND]


def test_a_pause_is_waited_for_though_it_ends_beyond_all_spans() -> None:
    clock = FakeClock()
    seen = run(
        lambda now: TRUE if now else ProbeResult(None, transient=True, retry_after=90 * SECOND),
        within=20 * SECOND,
        clock=clock,
    )
    assert (seen.status, clock.waits) == (CheckStatus.PASSED, [90 * SECOND])


def test_a_pause_longer_than_a_plan_would_wait_ends_it_at_once() -> None:
    clock = FakeClock()
    asks = ProbeResult(None, transient=True, retry_after=121 * SECOND)
    assert run(lambda _: asks, within=60 * SECOND, clock=clock) == PollResult(CheckStatus.UNKNOWN, 1, None)
    assert clock.time == 0
    assert run(lambda now: TRUE if now else asks, within=180 * SECOND).status is CheckStatus.PASSED


def test_a_service_that_wants_a_pause_every_time_is_given_up() -> None:
    clock = FakeClock()
    assert run(lambda _: ProbeResult(None, transient=True, retry_after=60 * SECOND), clock=clock) == PollResult(
        CheckStatus.UNKNOWN, 6, None
    )
    assert clock.time == 5 * 60 * SECOND


def test_a_busy_service_that_names_no_pause_is_asked_less_and_less_often() -> None:
    clock = FakeClock()
    assert run(lambda _: BUSY, within=120 * SECOND, clock=clock).status is CheckStatus.UNKNOWN
    assert len(clock.waits) <= 15
    assert min(clock.waits[5:8]) >= 8 * SECOND


def test_what_is_not_seen_for_a_while_has_to_hold_anew() -> None:
    clock = FakeClock()
    seen = run(lambda now: BUSY if 20 * SECOND <= now < 22 * SECOND else TRUE, hold=30 * SECOND, clock=clock)
    assert seen.status is CheckStatus.PASSED
    assert clock.time >= 52 * SECOND


def test_a_denial_ends_it_at_once() -> None:
    clock = FakeClock()
    assert (
        run(lambda _: ProbeResult(None, permanent=True), within=60 * SECOND, clock=clock).status is CheckStatus.UNKNOWN
    )
    assert clock.time == 0


def test_an_interrupt_ends_the_waiting() -> None:
    clock = FakeClock(stop_at=3 * SECOND)
    assert run(lambda _: FALSE, within=60 * SECOND, clock=clock).status is CheckStatus.INTERRUPTED


@pytest.mark.parametrize("within", [60 * SECOND, 3600 * SECOND])
def test_a_long_wait_looks_every_few_seconds_and_no_more(within: int) -> None:
    assert within / 2500 <= run(lambda _: FALSE, within=within).attempts <= within / 2000 + 20
