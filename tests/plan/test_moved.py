"""Renamed resources: what fired goes on firing under its new address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.address import Address
from reconciler.core.desired import Desired, Lifecycle
from reconciler.core.moves import Move, Moves
from reconciler.core.observed import State
from reconciler.core.operation import Status, Verb
from reconciler.ledger.protocol import Entry, LedgerView
from reconciler.plan.operations import forgeries
from reconciler.plan.plan import Plan
from reconciler.plan.saved import dump_plan, parse_plan
from reconciler.plan.stale import is_carried_out, staleness
from reconciler.plan.state import merge
from tests.plan.fake_service import LATER, NOW, TYPES, Service, actions, alarm, event, plan_of

BOTH = pytest.mark.parametrize("merges", [True, False])


def moves(*pairs: tuple[str, str]) -> Moves:
    return Moves(tuple(Move(Address.parse(source), Address.parse(target)) for source, target in pairs))


def named(desired: Desired, address: str) -> Desired:
    """The same alarm under another address: it keeps the name it fires by."""
    return desired._replace(address=Address.parse(address))


def service_with(*desired: Desired, merges: bool = True) -> Service:
    service = Service(merges)
    service.apply(plan_of(desired, service))
    return service


def firing(service: Service) -> list[str]:
    return sorted(str(found.marks.address) for found in service.observe() if found.state is State.ACTIVE)


OLD, NEW = alarm("old"), named(alarm("old"), "aom_alarm.new")
RENAMED = moves(("aom_alarm.old", "aom_alarm.new"))


@BOTH
def test_a_renamed_alarm_is_pushed_under_its_new_address_before_the_old_one_is_cleared(merges: bool) -> None:
    service = service_with(OLD, merges=merges)
    plan = plan_of([NEW], service, LATER, moves=RENAMED)
    assert [(change.action, change.reason) for change in plan.pending] == [("move", "from aom_alarm.old")]
    push, clear = plan.operations
    assert (push.verb, push.address.name, push.begins_at) == (Verb.PUSH, "new", NOW)
    assert (clear.verb, clear.address.name, clear.depends_on) == (Verb.CLEAR, "old", push.key)
    assert clear.only_if_duplicate
    service.apply(plan)
    assert firing(service) == ["aom_alarm.new"]
    assert plan_of([NEW], service, LATER, moves=RENAMED).pending == ()
    assert plan_of([NEW], service, LATER).pending == ()


def test_the_plan_says_that_the_service_may_notify() -> None:
    plan = plan_of([NEW], service_with(OLD), LATER, moves=RENAMED)
    assert plan.warnings[0].summary.startswith("1 aom_alarm will be moved: if AOM does not merge")


def test_a_move_of_a_whole_resource_moves_every_instance_by_its_key() -> None:
    old = [alarm("old", key) for key in ("ecs-1", "ecs-2")]
    service = service_with(*old)
    new = [named(item, f'aom_alarm.new["{item.address.key}"]') for item in old]
    plan = plan_of(new, service, LATER, moves=RENAMED)
    assert actions(plan) == {'aom_alarm.new["ecs-1"]': "move", 'aom_alarm.new["ecs-2"]': "move"}


def test_an_instance_moves_from_a_list_to_a_key_of_a_mapping() -> None:
    service = service_with(alarm("disk", "ecs-1"))
    new = named(alarm("disk", "ecs-1"), 'aom_alarm.disk["web"]')
    plan = plan_of([new], service, LATER, moves=moves(('aom_alarm.disk["ecs-1"]', 'aom_alarm.disk["web"]')))
    assert actions(plan) == {'aom_alarm.disk["web"]': "move"}


def test_a_single_alarm_becomes_an_instance_of_a_for_each() -> None:
    service = service_with(OLD)
    new = named(OLD, 'aom_alarm.old["ecs-1"]')
    plan = plan_of([new], service, LATER, moves=moves(("aom_alarm.old", 'aom_alarm.old["ecs-1"]')))
    assert actions(plan) == {'aom_alarm.old["ecs-1"]': "move"}


def test_a_renamed_alarm_whose_message_changed_moves_and_is_updated_in_one_push() -> None:
    new = named(alarm("old", message="slower"), "aom_alarm.new")
    (change,) = plan_of([new], service_with(OLD), LATER, moves=RENAMED).pending
    assert (change.action, change.reason) == ("move", "from aom_alarm.old; annotations.message differs")
    assert [difference.path for difference in change.differences] == ["annotations.message"]


def test_a_renamed_alarm_of_another_severity_is_pushed_before_the_old_one_is_cleared() -> None:
    new = named(alarm("old", severity="Critical"), "aom_alarm.new")
    plan = plan_of([new], service_with(OLD), LATER, moves=RENAMED)
    (change,) = plan.pending
    assert (change.action, change.sign) == ("replace", "+/-")
    assert change.reason == "moved from aom_alarm.old; event_severity differs"
    assert [(operation.verb, operation.only_if_duplicate) for operation in plan.operations] == [
        (Verb.PUSH, False),
        (Verb.CLEAR, False),
    ]


def test_prevent_clear_lets_an_alarm_move() -> None:
    new = NEW._replace(lifecycle=Lifecycle(prevent_clear=True))
    assert plan_of([new], service_with(OLD), LATER, moves=RENAMED).problems == ()


def test_prevent_clear_protects_an_alarm_that_has_not_moved_yet_from_destroy() -> None:
    new = NEW._replace(lifecycle=Lifecycle(prevent_clear=True))
    plan = plan_of([new], service_with(OLD), LATER, moves=RENAMED, destroy=True)
    assert "lifecycle.prevent_clear" in plan.problems[0].summary


def test_what_is_left_at_the_old_address_after_a_crash_is_cleared() -> None:
    service = service_with(OLD, merges=False)
    service.send(next(plan_of([NEW], service, LATER, moves=RENAMED).operations))
    plan = plan_of([NEW], service, LATER + 1, moves=RENAMED)
    assert [(str(change.address), change.action, change.reason) for change in plan.pending] == [
        ("aom_alarm.old", "clear", "moved to aom_alarm.new, which fires already")
    ]


def test_nothing_is_cleared_while_the_push_under_the_new_address_does_not_show_yet() -> None:
    service = service_with(OLD, merges=False)
    push = next(plan_of([NEW], service, LATER, moves=RENAMED).operations)
    write = Entry(push, "run-1", LATER, 1, Status.DONE, LATER, None, None, None)
    plan = plan_of([NEW], service, LATER, moves=RENAMED, ledger=LedgerView(recent=(write,)))
    assert plan.pending == ()


def test_nothing_is_raised_while_the_push_under_the_old_address_does_not_show_yet() -> None:
    (push,) = plan_of([OLD], Service()).operations
    write = Entry(push, "run-1", NOW, 1, Status.DONE, NOW, None, None, None)
    plan = plan_of([NEW], Service(), NOW, moves=RENAMED, ledger=LedgerView(recent=(write,)))
    assert actions(plan) == {"aom_alarm.new": "no-op"}


def test_two_alarms_cannot_move_to_one_address() -> None:
    service = service_with(alarm("a", "k"), alarm("c", "k"))
    new = named(alarm("a", "k"), 'aom_alarm.b["k"]')
    both = moves(("aom_alarm.a", "aom_alarm.b"), ('aom_alarm.c["k"]', 'aom_alarm.b["k"]'))
    plan = plan_of([new], service, LATER, moves=both)
    assert "would take over 2 alarms" in plan.problems[0].summary
    assert list(plan.operations) == []


def test_a_move_from_an_address_that_nothing_is_known_of_is_nothing() -> None:
    assert actions(plan_of([NEW], Service(), moves=RENAMED)) == {"aom_alarm.new": "create"}


def test_a_moved_event_is_not_recorded_again_but_noted_in_the_ledger() -> None:
    service = service_with(event("deployed"))
    new = named(event("deployed"), "aom_event.released")
    renamed = moves(("aom_event.deployed", "aom_event.released"))
    plan = plan_of([new], service, LATER, moves=renamed)
    (operation,) = plan.operations
    assert actions(plan) == {"aom_event.released": "move"}
    assert operation.is_recorded
    noted = LedgerView(recorded=frozenset({(new.address, "v1")}))
    assert plan_of([new], service, LATER, ledger=noted).pending == ()


def test_an_event_that_was_tried_under_its_old_address_keeps_its_time() -> None:
    new = named(event("deployed"), "aom_event.released")
    tried = LedgerView(attempted={(Address("aom_event", "deployed"), "v1"): NOW})
    renamed = moves(("aom_event.deployed", "aom_event.released"))
    (operation,) = plan_of([new], Service(), LATER, moves=renamed, ledger=tried).operations
    assert operation.begins_at == NOW


def test_a_saved_move_is_read_back_and_is_stale_once_it_is_declared_otherwise() -> None:
    service = service_with(OLD)
    made = plan_of([NEW], service, LATER, moves=RENAMED)
    plan = parse_plan(dump_plan(made, "1"), "plan.json")
    assert list(plan.operations) == list(made.operations)
    assert list(forgeries(plan, TYPES)) == []
    known = merge("demo", service.observe(), LedgerView())
    assert staleness(plan, [NEW], known, LATER, providers={}, moves=RENAMED) == ()
    assert staleness(plan, [NEW], known, LATER, providers={}) != ()
    service.apply(plan)
    assert is_carried_out(plan, merge("demo", service.observe(), LedgerView()))
    late = merge("demo", service.observe(), LedgerView())
    assert staleness(plan, [NEW], late, LATER, providers={}, moves=RENAMED) != ()


def test_a_saved_clear_is_stale_once_its_alarm_is_renamed() -> None:
    service = service_with(OLD)
    plan = plan_of([NEW], service, LATER)
    known = merge("demo", service.observe(), LedgerView())
    assert staleness(plan, [NEW], known, LATER, providers={}) == ()
    told = staleness(plan, [NEW], known, LATER, providers={}, moves=RENAMED)
    assert [problem.address for problem in told] == ["aom_alarm.old"]


def test_a_rename_without_moved_is_hinted_at_with_the_lines_to_paste() -> None:
    plan = plan_of([alarm("new")], service_with(OLD), LATER)
    (warning,) = plan.warnings
    assert warning.summary == "aom_alarm.old is cleared, and aom_alarm.new, which is equal, raised"
    assert warning.hint == (
        "if it was renamed, add this, so that nothing is cleared:\n"
        "moved:\n"
        "  - {from: aom_alarm.old, to: aom_alarm.new}\n"
        "and keep the name it fires by: write `event_name: old` in aom_alarm.new"
    )


def test_a_renamed_for_each_is_hinted_at_in_one_line() -> None:
    old = [alarm("old", key) for key in "abc"]
    plan = plan_of([named(item, f'aom_alarm.new["{item.address.key}"]') for item in old], service_with(*old), LATER)
    assert "moved:\n  - {from: aom_alarm.old, to: aom_alarm.new}" in str(plan.warnings[0].hint)
    rest = plan_of([named(old[0], 'aom_alarm.new["x"]'), *old[1:]], service_with(*old), LATER)
    assert "  - {from: 'aom_alarm.old[\"a\"]', to: 'aom_alarm.new[\"x\"]'}" in str(rest.warnings[0].hint)


def test_what_differs_is_not_taken_for_a_rename() -> None:
    assert plan_of([alarm("new", message="other")], service_with(OLD), LATER).warnings == ()


# Laws

NAMES = st.sampled_from("abcdef")
INSTANCES = st.lists(st.sampled_from(["k1", "k2", "k3"]), max_size=3, unique=True)


@st.composite
def renamings(draw: st.DrawFn) -> tuple[list[Desired], list[Desired], Moves]:
    """Alarms, the same alarms under other addresses, and the moves from the one to the other: whole or one by one."""
    before: list[Desired] = []
    after: list[Desired] = []
    pairs: list[tuple[str, str]] = []
    for name in draw(st.lists(NAMES, unique=True, max_size=4)):
        keys: Sequence[str | None] = draw(INSTANCES) or [None]
        whole = draw(st.booleans())
        for key in keys:
            item = alarm(name, key)
            new = Address("aom_alarm", f"{name}_new", key if whole or key is None else f"{key}-new")
            before.append(item)
            after.append(item._replace(address=new))
            if not whole:
                pairs.append((str(item.address), str(new)))
        if whole:
            pairs.append((f"aom_alarm.{name}", f"aom_alarm.{name}_new"))
    return before, after, moves(*pairs)


def alarms(service: Service) -> frozenset[frozenset[tuple[str, str]]]:
    """What fires, whatever its address."""
    return frozenset(frozenset(found.identity.items()) for found in service.observe())


def step_by_step(plan: Plan, service: Service) -> Iterator[None]:
    """Carry out a plan operation by operation."""
    for operation in plan.operations:
        service.apply(plan._replace(changes=tuple(_only(change, operation.key) for change in plan.changes)))
        yield


def _only(change: object, key: str) -> object:
    return change._replace(operations=tuple(item for item in change.operations if item.key == key))


@given(renamings(), st.booleans())
def test_a_move_never_changes_the_set_of_firing_alarms(
    renaming: tuple[list[Desired], list[Desired], Moves], merges: bool
) -> None:
    before, after, renamed = renaming
    service = service_with(*before, merges=merges)
    fired = alarms(service)
    plan = plan_of(after, service, LATER, moves=renamed)
    assert set(actions(plan).values()) <= {"move"}
    for _ in step_by_step(plan, service):
        assert alarms(service) == fired
    assert firing(service) == sorted(str(item.address) for item in after)
    assert plan_of(after, service, LATER + 1, moves=renamed).pending == ()


@given(renamings(), st.booleans())
def test_moves_compose(renaming: tuple[list[Desired], list[Desired], Moves], merges: bool) -> None:
    before, after, first = renaming
    names = {item.address.name for item in after}
    second = moves(*((f"aom_alarm.{name}", f"aom_alarm.{name}_again") for name in sorted(names)))
    last = [item._replace(address=item.address._replace(name=f"{item.address.name}_again")) for item in after]
    both = Moves((*first.entries, *second.entries))
    at_once, one_by_one = (service_with(*before, merges=merges) for _ in range(2))
    at_once.apply(plan_of(last, at_once, LATER, moves=both))
    one_by_one.apply(plan_of(after, one_by_one, LATER, moves=first))
    one_by_one.apply(plan_of(last, one_by_one, LATER + 1, moves=both))
    assert firing(at_once) == firing(one_by_one) == sorted(str(item.address) for item in last)
    assert alarms(at_once) == alarms(one_by_one)


@given(renamings(), st.booleans())
def test_a_move_and_its_inverse_are_no_change(
    renaming: tuple[list[Desired], list[Desired], Moves], merges: bool
) -> None:
    before, after, there = renaming
    back = Moves(tuple(Move(move.destination, move.source) for move in there.entries))
    service = service_with(*before, merges=merges)
    fired, addresses = alarms(service), firing(service)
    service.apply(plan_of(after, service, LATER, moves=there))
    service.apply(plan_of(before, service, LATER + 1, moves=back))
    assert (alarms(service), firing(service)) == (fired, addresses)
    assert plan_of(before, service, LATER + 2).pending == ()
