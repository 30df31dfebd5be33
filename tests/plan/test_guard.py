"""Guards in numbers and percentages, and the one that holds by default."""

from __future__ import annotations

import pytest

from reconciler.core.desired import Desired
from reconciler.core.guards import Guards
from reconciler.core.target import Target
from reconciler.plan.guard import allowed, violations
from tests.plan.fake_service import Service
from tests.plan.test_planner import LATER, _settled, alarm, plan_of


def stack(count: int, **fields: object) -> list[Desired]:
    return [alarm(f"a{number}", **fields) for number in range(count)]


def refused(before: list[Desired], after: list[Desired], *, destroy: bool = False, **limits: int | str) -> list[str]:
    """What the guards say of a plan from one set of alarms to another."""
    plan = plan_of(after, _settled(*before), LATER)
    found = violations(plan, Guards.model_validate(limits), {}, after, destroy=destroy)
    return [diagnostic.summary for diagnostic in found]


def test_more_than_half_of_ten_alarms_are_not_cleared_by_default() -> None:
    assert refused(stack(10), stack(4)) == [
        "the plan clears 6 of the stack's 10 alarms; more than half needs --force or guards.max_clears"
    ]
    assert refused(stack(10), stack(5)) == []


def test_a_stack_of_nine_alarms_may_lose_all_by_default() -> None:
    assert refused(stack(9), []) == []


def test_destroy_may_clear_all_alarms_by_default_but_not_past_a_set_limit() -> None:
    assert refused(stack(10), [], destroy=True) == []
    assert len(refused(stack(10), [], destroy=True, max_clears=5)) == 1


def test_replacing_all_alarms_is_no_loss_by_default() -> None:
    assert refused(stack(10), stack(10, severity="Info")) == []


def test_alarms_declared_cleared_count_as_lost() -> None:
    assert len(refused(stack(10), stack(10, firing=False))) == 1


def test_a_limit_that_is_set_takes_the_place_of_the_default() -> None:
    assert refused(stack(10), [], max_clears="100%") == []
    assert refused(stack(10), [], max_clears=10) == []


def test_a_percentage_is_one_of_the_alarms_of_the_stack() -> None:
    assert refused(stack(10), stack(8), max_clears="20%") == []
    assert refused(stack(10), stack(7), max_clears="20%") == [
        "the plan clears 3 alarms, and guards.max_clears allows 20% of the stack's 10 alarms, which is 2"
    ]
    assert refused([], stack(4), max_changes="25%") == [
        "the plan makes 4 changes, and guards.max_changes allows 25% of the stack's 4 alarms, which is 1"
    ]


def test_a_plan_limited_to_some_addresses_is_measured_by_the_whole_stack() -> None:
    gone = stack(12)
    kept = [alarm(f"kept{number}") for number in range(12)]
    plan = plan_of(kept, _settled(*gone, *kept), LATER, targets=[item.address for item in gone])
    assert violations(plan, Guards(), {}, kept) == ()


@pytest.mark.parametrize(
    ("limit", "alarms", "expected"), [(7, 1, 7), ("0%", 50, 0), ("10%", 19, 1), ("12.5%", 16, 2), ("100%", 3, 3)]
)
def test_a_percentage_is_rounded_down(limit: int | str, alarms: int, expected: int) -> None:
    assert allowed(limit, alarms) == expected


@pytest.mark.parametrize("value", ["10 %", "101%", "-1%", "1e1%", "%", "ten", 1.5, True, [1]])
def test_a_limit_is_a_whole_number_or_a_percentage(value: object) -> None:
    with pytest.raises(ValueError, match="such as 10%"):
        Guards.model_validate({"max_clears": value})


def test_a_resource_type_has_limits_of_its_own() -> None:
    limits = {"aom_alarm": {"max_clears": "20%", "max_changes": 2}}
    assert refused(stack(10), stack(8), types=limits) == []
    assert refused(stack(10), stack(7), types=limits) == [
        "the plan makes 3 changes of type aom_alarm, and guards.types.aom_alarm.max_changes allows 2",
        "the plan clears 3 alarms of type aom_alarm, and guards.types.aom_alarm.max_clears allows 20% of its 10 "
        "alarms of type aom_alarm, which is 2",
    ]
    assert refused(stack(10), stack(7), types={"aom_event": {"max_changes": 0}}) == []


def test_a_plan_sends_nothing_to_endpoints_that_are_not_allowed() -> None:
    places = {"aom": Target("aom", "https://aom.example.com", "p1")}
    plan = plan_of(stack(1), Service(), places=places)
    assert violations(plan, Guards(endpoints=("https://AOM.example.com:443/", "embedded")), {}) == ()
    (refusal,) = violations(plan, Guards(endpoints=("cn-north-4",)), {})
    assert refusal.summary == ("provider aom points at https://aom.example.com, and guards.endpoints allows cn-north-4")
    settled = plan_of(stack(1), _settled(*stack(1)), LATER, places=places)
    assert violations(settled, Guards(endpoints=()), {}) == ()
