"""Retries: how often a request is made, and the waits between two attempts."""

from itertools import islice

import pytest

from reconciler.core.retry import RETRY, RetryPolicy, poll_intervals


def test_a_retry_waits_longer_each_time_up_to_the_cap() -> None:
    waits = [RETRY.backoff(attempt, lambda: 1.0) for attempt in range(1, 9)]
    assert waits == sorted(waits)
    assert waits[0] == RETRY.base
    assert waits[-1] == RETRY.cap


@pytest.mark.parametrize("attempt", [1, 3, 9])
def test_half_of_a_wait_is_random(attempt: int) -> None:
    policy = RetryPolicy(base=1_000, cap=10_000)
    assert policy.backoff(attempt, lambda: 0.0) == policy.backoff(attempt, lambda: 1.0) / 2


def test_a_wait_that_the_service_asks_for_replaces_the_backoff() -> None:
    assert RETRY.pause(1, 7_000, lambda: 1.0) == 7_000
    assert RETRY.pause(1, 0, lambda: 1.0) == 0
    assert RETRY.pause(1, None, lambda: 1.0) == RETRY.backoff(1, lambda: 1.0)


def test_no_attempt_follows_the_last_one() -> None:
    policy = RetryPolicy(max_attempts=3)
    assert [policy.is_last(attempt) for attempt in (1, 2, 3, 4)] == [False, False, True, True]


def test_polls_are_quick_at_first_and_never_further_apart_than_the_limit() -> None:
    pauses = list(islice(poll_intervals(first=100, cap=1_000), 20))
    assert pauses[0] == 100
    assert pauses[-1] == 1_000
