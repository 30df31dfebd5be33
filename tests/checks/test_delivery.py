"""Judging deliveries: each way in which a notification arrives, or does not, has its word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.checks.delivery import (
    Awaited,
    DeliveryOutcome,
    DeliveryStatus,
    evaluate_delivery,
    evaluate_items,
    worst,
)
from reconciler.checks.expectation import Delivered
from reconciler.checks.poll import CheckStatus
from reconciler.core.delivery import Arrival, DeliveryLog, DeliveryQuery, Uptime

PUSHED = 100_000
FIRING = Awaited("firing", frozenset({"k1"}), PUSHED)
RESOLVED = replace(FIRING, status="resolved")
ALWAYS = (Uptime(0, 1_000_000),)


def expected(**values: Any) -> Delivered:
    return Delivered.model_validate({"within": "10s", **values})


def arrival(after: int = 1_000, **changes: Any) -> Arrival:
    return Arrival("k1", None, "firing", "oncall", PUSHED + after)._replace(**changes)


def log(*arrivals: Arrival, after: int = 60_000, **changes: Any) -> DeliveryLog:
    """What a receiver knows so long after the push."""
    return DeliveryLog(PUSHED + after, arrivals, ALWAYS)._replace(**changes)


def word(*arguments: Any, **options: Any) -> str | None:
    found = evaluate_delivery(*arguments, **options)
    return None if found is None else found.status.value


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (log(arrival()), "delivered"),
        (log(arrival(10_000)), "delivered"),
        (log(arrival(10_001)), "late"),
        (log(), "missing"),
        (log(arrival(key="other")), "missing"),
        (log(arrival(status="resolved")), "missing"),
        (log(arrival(status=None)), "delivered"),
        (log(arrival(receiver="backup")), "missing"),
        (log(arrival(), arrival(2_000)), "doubled"),
        (log(arrival(times=2)), "doubled"),
        (log(arrival(), arrival(2_000, receiver="backup")), "delivered"),
        (log(truncated=1), "not provable"),
        (log(arrival(), truncated=1), "delivered"),
        (log(listening=()), "not provable"),
        (log(listening=(Uptime(0, PUSHED + 5_000), Uptime(PUSHED + 6_000, 1_000_000))), "not provable"),
        (log(arrival(10_001), listening=(Uptime(PUSHED + 9_000, 1_000_000),)), "not provable"),
        (log(arrival(times=2), listening=(Uptime(PUSHED + 500, 1_000_000),)), "not provable"),
        (log(arrival(), listening=(Uptime(PUSHED + 500, 1_000_000),)), "delivered"),
    ],
)
def test_each_course_of_a_notification_has_its_word(found: DeliveryLog, said: str) -> None:
    assert word(FIRING, expected(receiver="oncall", at_most=1), found) == said


def test_nothing_is_said_while_there_is_time() -> None:
    assert word(FIRING, expected(), log(after=9_999)) is None
    assert word(FIRING, expected(), log(after=9_999), over=True) == "missing"


def test_an_alarm_that_is_silenced_proves_nothing() -> None:
    found = evaluate_delivery(replace(FIRING, suppressed="silenced by s1"), expected(), log())
    assert found is not None
    assert found.status is DeliveryStatus.NOT_PROVABLE
    assert found.reason == "no notification arrived within 10s; not provable: silenced by s1"


def test_the_receiver_where_it_arrived_instead_is_named() -> None:
    found = evaluate_delivery(FIRING, expected(receiver="oncall"), log(arrival(receiver="backup")))
    assert found is not None
    assert found.reason == "no notification arrived at oncall within 10s (but at backup)"


def test_an_end_that_was_notified_before_the_alarm_was_cleared_is_not_the_clears() -> None:
    early, late = arrival(-5_000, status="resolved"), arrival(500, status="resolved")
    assert word(RESOLVED, expected(), log(early)) == "missing"
    assert evaluate_delivery(RESOLVED, expected(), log(early, late)) == (
        DeliveryStatus.DELIVERED,
        "notification of its end arrived at oncall after 500ms",
        500,
        1,
    )


def test_what_is_proved_wrong_outweighs_what_cannot_be_proved() -> None:
    some = [DeliveryOutcome(each, "") for each in DeliveryStatus]
    assert worst(some) is DeliveryStatus.MISSING
    assert worst(some[3:2:-1] + some[:1]).check_status is CheckStatus.FAILED
    assert worst([some[0], some[4]]).check_status is CheckStatus.UNKNOWN
    assert worst(some[:1]).check_status is CheckStatus.PASSED


def queried_item(number: int, **changes: Any) -> dict[str, Any]:
    made = {"event_name": "latency", "starts_at": PUSHED, "ends_at": None, "metadata": {"reconciler_key": f"k{number}"}}
    return made | changes


def asking(found: DeliveryLog, asked: list[DeliveryQuery] | None = None) -> Any:
    def ask(query: DeliveryQuery) -> DeliveryLog:
        if asked is not None:
            asked.append(query)
        return found

    return ask


def test_all_alarms_of_a_query_are_asked_for_at_once() -> None:
    asked: list[DeliveryQuery] = []
    found = log(arrival(), arrival(key="k2"))
    outcome = evaluate_items(
        [queried_item(1), queried_item(2, starts_at=PUSHED - 5_000)], expected(), asking(found, asked)
    )
    assert (outcome.holds, outcome.reason) == (True, "2 delivered, the last after 6s")
    assert asked == [DeliveryQuery(("k1", "k2"), (), None, PUSHED - 5_000)]


def test_one_alarm_that_was_not_delivered_fails_and_is_named() -> None:
    outcome = evaluate_items([queried_item(1), queried_item(2)], expected(), asking(log(arrival())))
    assert (outcome.holds, outcome.failing_items) == (False, (queried_item(2),))
    assert "1 of 2 not delivered as expected: no notification arrived within 10s" in outcome.reason


def test_an_alarm_whose_time_is_not_over_is_waited_for() -> None:
    outcome = evaluate_items([queried_item(1)], expected(), asking(log(after=1_000)))
    assert (outcome.holds, outcome.final, outcome.reason) == (False, False, "1 of 1 not delivered yet")
    ended = evaluate_items([queried_item(1)], expected(resolved=True), asking(log(arrival())))
    assert (ended.holds, ended.final) == (False, False), "it has not ended"


def test_what_was_left_out_for_another_receiver_does_not_matter() -> None:
    def ask(query: DeliveryQuery) -> DeliveryLog:
        return log(truncated=1 if query.receiver is None else 0)

    assert evaluate_items([queried_item(1)], expected(), ask).holds is None
    assert evaluate_items([queried_item(1)], expected(receiver="oncall"), ask).holds is False


def test_an_alarm_that_carries_no_key_is_known_by_its_fingerprint_or_not_at_all() -> None:
    foreign = queried_item(1, metadata={}, fingerprint="f1")
    found = log(arrival(key=None, fingerprint="f1"))
    assert evaluate_items([foreign], expected(), asking(found)).holds is True
    unknown = evaluate_items([queried_item(1, metadata={})], expected(), asking(found))
    assert unknown.holds is None
    assert "carries no reconciler_key" in unknown.reason


def test_an_alarm_that_is_suppressed_proves_nothing() -> None:
    assert evaluate_items([queried_item(1, state="suppressed")], expected(), asking(log())).holds is None


def test_no_alarms_are_none_delivered() -> None:
    assert evaluate_items([], expected(), asking(log())).holds is False
