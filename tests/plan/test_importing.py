"""Imported alarms: what fires unmanaged goes on firing, and is the stack's from then on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.address import Address
from reconciler.core.desired import Desired, Lifecycle
from reconciler.core.diagnostic import Position
from reconciler.core.imports import Import, Lookup
from reconciler.core.operation import Status, Verb
from reconciler.ledger.protocol import Entry, LedgerView
from reconciler.plan.duplicates import duplicate_warnings
from reconciler.plan.plan import Plan
from reconciler.plan.planner import only_imports
from reconciler.plan.saved import dump_plan, parse_plan
from tests.plan.fake_service import LATER, NOW, TYPES, Service, actions, alarm, plan_of

MANDATORY = ("event_name", "event_severity", "resource_id")
MODES: Mapping[str, tuple[bool, tuple[str, ...] | None]] = {
    "refreshes": (True, MANDATORY),
    "merges-equal-metadata": (True, None),
    "never-merges": (False, None),
}
EACH_MODE = pytest.mark.parametrize("mode", MODES)
DISK = alarm("disk")
PLACE = Position("stack.yaml", 7, 5)


def block(service: Service, id_: str, address: Address = DISK.address, **more: object) -> dict[Address, Lookup]:
    """What a plan is told of one import block."""
    found = tuple(item for item in service.unmanaged() if item.id == id_)
    return {address: Lookup(found, Import(address, id_, PLACE), **more)}


def shown(service: Service) -> list[tuple[str | None, str]]:
    """What fires: the address in its marks, and the name it fires by."""
    return sorted(
        (item["metadata"].get("reconciler_address", ""), item["metadata"]["event_name"])
        for item in service.items.values()
        if not item["ends_at"]
    )


@EACH_MODE
def test_an_imported_alarm_goes_on_firing_with_the_time_it_began(mode: str) -> None:
    service = Service(*MODES[mode])
    id_ = service.fire(DISK)
    plan = plan_of([DISK], service, LATER, imports=block(service, id_))
    (change,) = plan.pending
    assert (change.action, change.sign) == ("import", "<")
    assert change.reason == f"fires unmanaged as {id_} since 2027-01-15T08:00:00Z"
    push, clear = plan.operations
    assert (push.verb, push.begins_at) == (Verb.PUSH, NOW)
    assert (clear.verb, clear.target, clear.depends_on, clear.only_if_duplicate) == (Verb.CLEAR, id_, push.key, True)
    service.apply(plan)
    assert shown(service) == [("aom_alarm.disk", "disk")]
    assert plan_of([DISK], service, LATER + 1, imports=block(service, id_)).pending == ()


def test_what_differs_is_shown_and_pushed_with_the_import() -> None:
    service = Service()
    id_ = service.fire(DISK)
    wanted = alarm("disk", severity="Critical", message="slower")
    (change,) = plan_of([wanted], service, LATER, imports=block(service, id_)).pending
    assert [(item.path, item.forces_replace) for item in change.differences] == [
        ("event_severity", True),
        ("annotations.message", False),
    ]


def test_prevent_clear_allows_an_import() -> None:
    service = Service()
    id_ = service.fire(DISK)
    wanted = DISK._replace(lifecycle=Lifecycle(prevent_clear=True))
    assert plan_of([wanted], service, LATER, imports=block(service, id_)).problems == ()


def test_an_unmanaged_alarm_beside_the_stacks_own_is_cleared_alone() -> None:
    service = Service(merges=False)
    id_ = service.fire(DISK)
    service.apply(plan_of([DISK], service))
    plan = plan_of([DISK], service, LATER, imports=block(service, id_))
    assert [(change.action, change.reason) for change in plan.pending] == [
        ("import", f"unmanaged {id_}, which fires beside it, is cleared")
    ]
    (clear,) = plan.operations
    assert (clear.verb, clear.target, clear.only_if_duplicate) == (Verb.CLEAR, id_, False)
    service.apply(plan)
    assert shown(service) == [("aom_alarm.disk", "disk")]


def test_an_update_clears_the_unmanaged_alarm_beside_it_too() -> None:
    service = Service(merges=False)
    id_ = service.fire(DISK)
    service.apply(plan_of([DISK], service))
    plan = plan_of([alarm("disk", message="slower")], service, LATER, imports=block(service, id_))
    (change,) = plan.pending
    assert change.action == "update"
    assert change.reason.endswith(f"; unmanaged {id_}, which fires beside it, is cleared")
    service.apply(plan)
    assert shown(service) == [("aom_alarm.disk", "disk")]


def test_an_import_whose_push_does_not_show_yet_is_not_made_again() -> None:
    service = Service(merges=False)
    id_ = service.fire(DISK)
    push = next(plan_of([DISK], service, LATER, imports=block(service, id_)).operations)
    write = Entry(push, "run-1", LATER, 1, Status.DONE, LATER, None, None, None)
    plan = plan_of([DISK], service, LATER, imports=block(service, id_), ledger=LedgerView(recent=(write,)))
    assert plan.pending == ()


def test_a_crash_between_push_and_clear_leaves_an_import_to_complete() -> None:
    service = Service(merges=False)
    id_ = service.fire(DISK)
    service.send(next(plan_of([DISK], service, LATER, imports=block(service, id_)).operations))
    plan = plan_of([DISK], service, LATER + 1, imports=block(service, id_))
    assert [operation.target for operation in plan.operations] == [id_]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "provider aom shows nothing active with the id 9"),
        ({"owner": ("demo", "aom_alarm.other")}, "cannot import 9, which is aom_alarm.other of this stack"),
        ({"owner": ("shop", "aom_alarm.disk")}, "cannot import 9, which is aom_alarm.disk of stack shop"),
        ({"unable": "it has no list"}, "cannot be imported: it has no list"),
    ],
)
def test_a_block_that_names_nothing_to_import_is_an_error_at_its_place(more: dict[str, object], said: str) -> None:
    plan = plan_of([DISK], Service(), LATER, imports=block(Service(), "9", **more))
    (problem,) = plan.problems
    assert problem.summary == f"aom_alarm.disk: {said}"
    assert problem.position == PLACE
    assert problem.hint
    assert list(plan.operations) == []


def test_a_block_may_stay_when_what_it_imported_has_ended() -> None:
    plan = plan_of([DISK], Service(), LATER, imports=block(Service(), "9", is_over=True))
    assert actions(plan) == {"aom_alarm.disk": "create"}


def test_an_object_of_another_type_and_one_that_is_sent_again_are_errors() -> None:
    service = Service()
    service.fire(DISK)
    (found,) = service.unmanaged()
    other = found._replace(observed=found.observed._replace(marks=found.observed.marks._replace(address=NOTE)))
    for item, said in ((other, "which is an alertmanager_alert"), (found._replace(unadoptable="a rule"), ": a rule")):
        lookup = Lookup((item,), Import(DISK.address, item.id, PLACE))
        (problem,) = plan_of([DISK], service, LATER, imports={DISK.address: lookup}).problems
        assert said in problem.summary


NOTE = Address("alertmanager_alert", "disk")


def test_destroy_leaves_what_was_never_imported_alone() -> None:
    service = Service()
    id_ = service.fire(DISK)
    assert plan_of([DISK], service, LATER, imports=block(service, id_), destroy=True).pending == ()


def test_a_saved_import_is_read_back() -> None:
    service = Service()
    plan = plan_of([DISK], service, LATER, imports=block(service, service.fire(DISK)))
    saved = parse_plan(dump_plan(plan, "1"), "plan.json")
    assert saved.changes == plan.changes
    assert list(saved.operations) == list(plan.operations)


def test_all_that_fires_unmanaged_as_one_declared_alarm_is_taken_over_at_once() -> None:
    service = Service(merges=False)
    for _ in range(3):
        service.fire(DISK)
    plan = plan_of([DISK, alarm("cpu")], service, LATER, imports={DISK.address: Lookup(tuple(service.unmanaged()))})
    part = only_imports(plan, TYPES)
    assert actions(part) == {"aom_alarm.disk": "import"}
    service.apply(part)
    assert shown(service) == [("aom_alarm.disk", "disk")]


@pytest.mark.parametrize("declared", [True, False])
def test_a_duplicate_is_told_with_its_place_its_reason_and_the_block_to_add(declared: bool) -> None:
    service = Service(merges=False)
    id_ = service.fire(DISK)
    if declared:
        service.apply(plan_of([DISK], service))
    plan = plan_of([DISK._replace(position=PLACE)], service, LATER)
    (warning,) = duplicate_warnings(plan.changes, service.unmanaged())
    verb = "duplicates" if declared else "would duplicate"
    assert warning.summary == (
        f"aom_alarm.disk {verb} the unmanaged alarm {id_}, firing since 2027-01-15T08:00:00Z: "
        "no plan clears unmanaged alarms"
    )
    assert warning.position == PLACE
    assert f"import:\n  - {{to: aom_alarm.disk, id: '{id_}'}}" in (warning.hint or "")


def test_what_an_import_takes_over_is_no_duplicate() -> None:
    service = Service()
    id_ = service.fire(DISK)
    plan = plan_of([DISK], service, LATER, imports=block(service, id_))
    assert list(duplicate_warnings(plan.changes, service.unmanaged())) == []


def _imports(service: Service, desired: Sequence[Desired]) -> dict[Address, Lookup]:
    names = {item.observed.identity["event_name"]: item for item in service.unmanaged()}
    return {
        item.address: Lookup((names[item.address.name],), Import(item.address, names[item.address.name].id))
        for item in desired
        if item.address.name in names
    }


def _instants(service: Service, plan: Plan) -> list[set[str]]:
    """The names that fire after each operation of a plan."""
    seen = [{name for _, name in shown(service)}]
    for operation in plan.operations:
        part = plan._replace(changes=(plan.changes[0]._replace(operations=(operation,)),))
        service.apply(part)
        seen.append({name for _, name in shown(service)})
    return seen


@given(
    st.sets(st.sampled_from("abcd"), min_size=1),
    st.sets(st.sampled_from("abcd")),
    st.sampled_from(sorted(MODES)),
    st.sampled_from(["slow", "slower"]),
)
def test_an_import_changes_no_set_of_firing_alarms_and_is_no_change_afterwards(
    unmanaged: set[str], imported: set[str], mode: str, message: str
) -> None:
    service = Service(*MODES[mode])
    for name in sorted(unmanaged):
        service.fire(alarm(name))
    desired = [alarm(name, message=message) for name in sorted(unmanaged & imported)]
    imports = _imports(service, desired)
    plan = plan_of(desired, service, LATER, imports=imports)
    assert set(map(frozenset, _instants(service, plan))) == {frozenset(unmanaged)}
    assert shown(service) == sorted(
        [(f"aom_alarm.{name}", name) for name in unmanaged & imported] + [("", name) for name in unmanaged - imported]
    )
    again = {address: lookup._replace(found=()) for address, lookup in imports.items()}
    assert plan_of(desired, service, LATER + 1, imports=again).pending == ()
