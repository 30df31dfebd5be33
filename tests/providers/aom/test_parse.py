"""An event of the service becomes an observed value, however odd its data."""

from __future__ import annotations

import json

import pytest

from reconciler.core.duration import DAY, HOUR, MINUTE, SECOND
from reconciler.core.observed import Observed, State
from reconciler.providers.aom.parse import observed
from tests.providers.aom.objects import ALARM, EVENT, NOW, STACK, desired, marks


def seen(type_=ALARM, **changes: object) -> Observed:
    wanted = desired("a", type_=type_, **({"timeout": "1h"} if type_ is ALARM else {}))
    item = json.loads(type_.push(wanted, marks(wanted), NOW)[0])
    found = observed({**item, "id": "7", "ends_at": 0, "arrives_at": NOW + SECOND, **changes}, "aom", STACK)
    assert found is not None
    return found


def test_an_active_alarm_expires_at_the_earliest_possible_instant() -> None:
    assert seen().state is State.ACTIVE
    assert seen().ended_at is None
    assert seen().expires_at == NOW + HOUR
    assert seen(starts_at=NOW + DAY).expires_at == NOW + SECOND + HOUR
    assert seen(arrives_at=None).expires_at == NOW + HOUR


@pytest.mark.parametrize("timeout", [None, 0, -5, "soon", {}, True])
def test_without_a_timeout_nothing_is_known_of_its_end(timeout: object) -> None:
    assert seen(timeout=timeout).expires_at is None


@pytest.mark.parametrize(
    ("arrives", "ended", "state"),
    [
        (NOW, NOW + MINUTE, State.CLEARED),
        (NOW, NOW + HOUR - 2 * SECOND, State.CLEARED),
        (NOW, NOW + HOUR, State.EXPIRED),
        (NOW, NOW + HOUR + 30 * SECOND, State.EXPIRED),
        (NOW, NOW + 2 * HOUR, State.EXPIRED),
        (NOW + DAY, NOW + HOUR, State.EXPIRED),
        (NOW + DAY, NOW + 5 * HOUR, State.CLEARED),
        (NOW + DAY, NOW + DAY + HOUR, State.EXPIRED),
    ],
)
def test_an_expired_alarm_is_told_from_a_cleared_one(arrives: int, ended: int, state: State) -> None:
    found = seen(arrives_at=arrives, ends_at=ended)
    assert found.state is state
    assert found.ended_at == ended


def test_an_event_is_recorded_and_never_expires() -> None:
    found = seen(EVENT, timeout=60_000)
    assert found.state is State.RECORDED
    assert found.expires_at is None
    assert found.marks.occurrence == desired("a", type_=EVENT).digest


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (16377362908000, 16377362908000),
        ("1790000000000", 1790000000000),
        (1.79e12, 1790000000000),
        (None, 0),
        ("", 0),
        ({}, 0),
        (float("nan"), 0),
        (-1, -1),
    ],
)
def test_an_odd_beginning_is_shown_and_never_crashes(written: object, read: int) -> None:
    assert seen(starts_at=written).starts_at == read


def test_missing_fields_are_read_as_empty() -> None:
    found = observed(
        {
            "id": 7,
            "metadata": {"event_type": "alarm", "reconciler_stack": STACK, "reconciler_address": "aom_alarm.a", "n": 5},
        },
        "aom",
        STACK,
    )
    assert found is not None
    assert found.id == "7"
    assert found.identity == {"event_type": "alarm", "n": "5"}
    assert found.attributes == {"annotations": {}, "attach_rule": {}}
    assert (found.marks.digest, found.marks.key, found.marks.run) == ("", "", "")


def test_fields_we_do_not_know_are_ignored() -> None:
    assert seen(policy={}, event_sn="1", enterprise_project_id="0", brand_new=[1]) == seen()


@pytest.mark.parametrize("address", ["aom_event.a", "ces_event.a", "other.a"])
def test_an_alarm_marked_with_the_address_of_something_else_is_left_alone(address: str) -> None:
    wanted = desired("a", timeout="1h")
    item = json.loads(ALARM.push(wanted, marks(wanted), NOW)[0])
    item["metadata"]["reconciler_address"] = address
    assert observed({**item, "id": "7", "ends_at": 0}, "aom", STACK) is None
