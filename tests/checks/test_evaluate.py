"""Expectations held against what was found; what is not known for certain never makes one hold."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.checks.comparison import compare, comparison
from reconciler.checks.evaluate import describe_item, evaluate
from reconciler.checks.expectation import Expectation
from reconciler.providers.aom.data_sources import ALARM_FIELDS
from reconciler.providers.bcm.query import FIELDS, LEVELS


def alarm(**changes: Any) -> dict[str, Any]:
    return {"id": "a", "policy": "cpu", "level": "ALARM_LEVEL_MAJOR", "state": "ALERT", "instance_id": "i-1", **changes}


def holds(expected: dict[str, Any], *items: dict[str, Any]) -> bool:
    return evaluate(Expectation.model_validate(expected), items, FIELDS).holds


def reason(expected: dict[str, Any], *items: dict[str, Any]) -> str:
    return evaluate(Expectation.model_validate(expected), items, FIELDS).reason


@pytest.mark.parametrize(
    ("count", "found", "expected"),
    [
        (0, 0, True),
        (0, 1, False),
        (2, 2, True),
        ({"at_least": 1}, 0, False),
        ({"at_least": 1}, 1, True),
        ({"at_most": 1}, 1, True),
        ({"at_most": 1}, 2, False),
        ({"at_least": 1, "at_most": 2}, 3, False),
        ({"equal": 1}, 1, True),
    ],
)
def test_a_count(count: Any, found: int, expected: bool) -> None:
    assert holds({"count": count}, *(alarm(id=str(number)) for number in range(found))) is expected


@pytest.mark.parametrize(
    ("condition", "value", "truth"),
    [
        ("x", "x", True),
        ("x", "y", False),
        (1, True, False),
        (1, 1.0, True),
        (None, None, True),
        (["x", "y"], "y", True),
        (["x"], "y", False),
        ({"not_equal": "x"}, "y", True),
        ({"not_equal": "x"}, None, None),
        ({"none_of": ["x"]}, "x", False),
        ({"at_least": 2}, 2, True),
        ({"at_most": 2}, 3, False),
        ({"at_least": 2}, "many", None),
        ({"at_least": "2026-05-01T00:00:00Z"}, 1_777_600_000_000, True),
        ({"contains": "b"}, "abc", True),
        ({"contains": "b"}, ["a", "b"], True),
        ({"contains": "b"}, 5, None),
        ({"matches": "^a.c$"}, "abc", True),
        ({"matches": "x"}, None, None),
        ({"present": True}, None, False),
        ({"present": False}, None, True),
        ({"present": True, "equal": "x"}, "x", True),
    ],
)
def test_a_comparison(condition: Any, value: object, truth: bool | None) -> None:
    expected = Expectation.model_validate({"all": {"id": condition}})
    [(_, _, wanted)] = expected.conditions()
    assert compare(value, wanted) is truth


@pytest.mark.parametrize(
    ("level", "bound", "truth"),
    [
        ("ALARM_LEVEL_CRITICAL", {"at_least": "ALARM_LEVEL_MAJOR"}, True),
        ("ALARM_LEVEL_NOTICE", {"at_least": "ALARM_LEVEL_MAJOR"}, False),
        ("ALARM_LEVEL_WARNING", {"at_most": "ALARM_LEVEL_WARNING"}, True),
        ("ALARM_LEVEL_DOOM", {"at_most": "ALARM_LEVEL_CRITICAL"}, None),
        (None, {"at_most": "ALARM_LEVEL_CRITICAL"}, None),
    ],
)
def test_levels_have_their_own_order_and_an_unknown_one_no_place_in_it(
    level: str | None, bound: dict[str, str], truth: bool | None
) -> None:
    [(_, _, wanted)] = Expectation.model_validate({"all": {"level": bound}}).conditions()
    assert compare(level, comparison(wanted), LEVELS) is truth


def test_all_wants_each_of_them_so() -> None:
    expected = {"all": {"state": "ALERT", "instance_id": ["i-1", "i-2"]}}
    assert holds(expected, alarm(), alarm(instance_id="i-2"))
    assert not holds(expected, alarm(), alarm(instance_id="i-3"))
    assert holds(expected)


def test_any_wants_one_that_is_all_of_it() -> None:
    expected = {"any": {"state": "ALERT", "instance_id": "i-2"}}
    assert not holds(expected, alarm(), alarm(state="OK", instance_id="i-2"))
    assert holds(expected, alarm(), alarm(instance_id="i-2"))
    assert not holds(expected)


def test_none_wants_certainty() -> None:
    expected = {"none": {"level": {"at_least": "ALARM_LEVEL_MAJOR"}}}
    assert holds(expected, alarm(level="ALARM_LEVEL_NOTICE"))
    assert not holds(expected, alarm())
    assert not holds(expected, alarm(level="ALARM_LEVEL_DOOM"))
    assert not holds(expected, alarm(level=None))


@pytest.mark.parametrize("word", ["all", "any", "none"])
def test_what_is_missing_never_makes_an_expectation_hold(word: str) -> None:
    assert not holds({word: {"region": {"not_equal": "bj"}}}, alarm())


def test_a_path_leads_into_a_field() -> None:
    item = alarm(identifiers={"InstanceId": "i-1", "a.b": {"c": "deep"}})
    assert holds({"all": {"identifiers.InstanceId": "i-1", "identifiers.a.b.c": "deep"}}, item)
    assert not holds({"all": {"identifiers.Other": "i-1"}}, item)


SENT = {"type": "ACTION_TYPE_ALERT", "channels": ["SMS"], "members": ["ann"], "delivered": True}


@pytest.mark.parametrize(
    ("wanted", "sent", "expected"),
    [
        ({}, [SENT], True),
        ({}, [], False),
        ({}, [{**SENT, "delivered": False}], False),
        ({"type": "ACTION_TYPE_ALERT"}, [SENT], True),
        ({"type": "ACTION_TYPE_OK"}, [SENT], False),
        ({"member": "ann"}, [SENT], True),
        ({"member": "bob"}, [SENT], False),
        ({"channel": "SMS"}, [SENT], True),
        ({"channel": "SMN", "rule": "pager"}, [{"rule": "pager", "channel": "SMN", "delivered": True}], True),
        ({"type": "ACTION_TYPE_OK", "member": "ann"}, [SENT, {**SENT, "type": "ACTION_TYPE_OK", "members": []}], False),
    ],
)
def test_a_notification_is_one_that_is_all_of_it(wanted: Any, sent: list[Any], expected: bool) -> None:
    assert holds({"notification": wanted}, alarm(notifications=sent)) is expected


def test_a_notification_of_nothing_does_not_hold() -> None:
    assert reason({"notification": {}}) == "found 0, so no notification was delivered"


def test_each_of_them_must_have_been_notified() -> None:
    expected = {"notification": {"member": "ann"}}
    assert not holds(expected, alarm(notifications=[SENT]), alarm(notifications=[]))
    assert "for 1 of 2: cpu" in reason(expected, alarm(notifications=[SENT]), alarm(notifications=[]))


def test_the_reason_names_the_first_few_and_how_many_there_are() -> None:
    items = [alarm(id=str(number)) for number in range(5)]
    assert reason({"count": 0}, *items) == (
        "found 5, expected exactly 0: cpu (ALARM_LEVEL_MAJOR, ALERT) on i-1, cpu (ALARM_LEVEL_MAJOR, ALERT) on i-1, "
        "cpu (ALARM_LEVEL_MAJOR, ALERT) on i-1 and 2 more"
    )


def test_an_item_that_tells_nothing_still_has_a_label() -> None:
    assert describe_item({"id": None}) == "an item without a name"


@pytest.mark.parametrize(
    ("expected", "details"),
    [
        ({"count": 0}, set()),
        ({"all": {"level": "x"}}, set()),
        ({"any": {"metrics": {"present": True}, "initial_state": "OK"}}, {"metrics", "initial_state"}),
        ({"notification": {}}, set()),
    ],
)
def test_only_what_is_expected_costs_a_request_per_item(expected: Any, details: set[str]) -> None:
    assert Expectation.model_validate(expected).details(FIELDS) == details


def test_notifications_of_aom_are_a_detail() -> None:
    assert Expectation.model_validate({"notification": {}}).details(ALARM_FIELDS) == {"notifications"}
