"""The planner's laws, over random desired and observed states."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.action import Action
from reconciler.core.desired import Desired
from tests.plan.fake_service import LATER, NOW, Service, alarm, event, plan_of

NAMES = st.sampled_from("abcde")

ALARMS = st.builds(
    alarm,
    NAMES,
    firing=st.booleans(),
    severity=st.sampled_from(["Critical", "Major", "Info"]),
    message=st.sampled_from(["slow", "slower"]),
    timeout=st.sampled_from(["30m", "1h"]),
)
EVENTS = st.builds(event, st.sampled_from("xyz"), st.sampled_from(["v1", "v2"]))


def _one_per_address(items: list[Desired]) -> list[Desired]:
    return list({item.address: item for item in items}.values())


STACKS = st.lists(st.one_of(ALARMS, EVENTS), max_size=8).map(_one_per_address)


def _service(merges: bool, history: list[list[Desired]]) -> Service:
    """A service with a past: each earlier configuration was applied as it is planned."""
    service = Service(merges)
    for number, desired in enumerate(history):
        service.apply(plan_of(desired, service, NOW + number))
    return service


WORLDS = st.builds(_service, st.booleans(), st.lists(STACKS, max_size=3))


@given(STACKS, WORLDS)
def test_applying_a_plan_and_planning_again_gives_no_changes(desired: list[Desired], service: Service) -> None:
    service.apply(plan_of(desired, service, LATER))
    assert plan_of(desired, service, LATER + 1).pending == ()


@given(STACKS, WORLDS)
def test_after_an_apply_each_declared_alarm_fires_exactly_once_and_nothing_else(
    desired: list[Desired], service: Service
) -> None:
    service.apply(plan_of(desired, service, LATER))
    active = sorted(str(found.marks.address) for found in service.observe() if found.expires_at)
    assert active == sorted(str(item.address) for item in desired if item.occurrence is None and item.firing)


@given(STACKS, WORLDS)
def test_an_equal_object_is_never_touched(desired: list[Desired], service: Service) -> None:
    equal = {found.marks.address for found in service.observe() for item in desired if _same(item, found)}
    plan = plan_of(desired, service, LATER)
    assert not {operation.address for operation in plan.operations} & equal


def _same(item: Desired, found: object) -> bool:
    marks = found.marks
    return item.firing and (item.address, item.digest, item.occurrence) == (
        marks.address,
        marks.digest,
        marks.occurrence,
    )


@given(STACKS, WORLDS, st.randoms(use_true_random=False))
def test_the_order_of_configuration_and_of_query_results_does_not_matter(
    desired: list[Desired], service: Service, rng: random.Random
) -> None:
    straight = plan_of(desired, service, LATER)
    items = list(service.items.items())
    rng.shuffle(items)
    service.items = dict(items)
    mixed = rng.sample(desired, len(desired))
    turned = plan_of(mixed, service, LATER)
    assert {change.address: change.action for change in straight.changes} == {
        change.address: change.action for change in turned.changes
    }
    assert {operation.target for operation in straight.operations} == {
        operation.target for operation in turned.operations
    }


@given(STACKS, STACKS, WORLDS)
def test_objects_without_the_stacks_marks_are_never_in_an_operation(
    desired: list[Desired], foreign: list[Desired], service: Service
) -> None:
    service.apply(plan_of(foreign, service, LATER, stack="other"))
    service.items["bare"] = {
        "metadata": {"event_name": "a", "event_type": "alarm"},
        "annotations": {},
        "ends_at": 0,
        "starts_at": NOW,
    }
    others = {found.id for found in service.observe() if found.marks.stack == "other"} | {"bare"}
    before = {id_: dict(service.items[id_]) for id_ in others}
    service.apply(plan_of(desired, service, LATER))
    service.apply(plan_of([], service, LATER + 1))
    assert {id_: service.items[id_] for id_ in others} == before
    assert not service.touched & others


@given(STACKS, WORLDS)
def test_every_change_has_a_reason_and_every_pending_one_an_operation(desired: list[Desired], service: Service) -> None:
    for change in plan_of(desired, service, LATER).changes:
        assert change.reason
        assert bool(change.operations) == (change.action is not Action.NO_OP)
