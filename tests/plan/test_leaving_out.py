"""Leaving out: addresses that a plan skips, alarms that are forgotten, attributes that stay as they are."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.address import Address
from reconciler.core.desired import Desired, Lifecycle
from reconciler.core.operation import Operation, Verb
from reconciler.ledger.protocol import LedgerView
from reconciler.plan.operations import forgeries
from reconciler.plan.plan import Plan
from reconciler.plan.saved import dump_plan, parse_plan
from reconciler.plan.stale import is_carried_out, staleness
from reconciler.plan.state import merge
from tests.plan.fake_service import LATER, NOW, TYPES, Service, actions, alarm, event, plan_of
from tests.plan.test_laws import STACKS, WORLDS

FORGETFUL = Lifecycle(on_remove="forget")


def service_with(*desired: Desired) -> Service:
    service = Service()
    service.apply(plan_of(desired, service))
    return service


def noted(plan: Plan) -> LedgerView:
    """What the ledger knows once a plan was applied."""
    return LedgerView(recorded=frozenset((op.address, op.occurrence) for op in plan.operations if op.is_recorded))


def essence(operations: Iterable[Operation]) -> list[tuple[object, ...]]:
    """What operations do, without the keys and the run that depend on the whole plan."""
    return [(item.address, item.verb, item.target, item.digest, item.begins_at) for item in operations]


# Forgetting


def test_what_is_removed_goes_on_firing_and_is_forgotten_once() -> None:
    service = service_with(alarm("gone"))
    plan = plan_of([], service, LATER, removed=[Address("aom_alarm", "gone")])
    assert [(change.action, change.reason) for change in plan.pending] == [("forget", "left firing, as `removed` says")]
    assert all(operation.is_recorded for operation in plan.operations)
    assert plan_of([], service, LATER, ledger=noted(plan)).pending == ()
    assert plan_of([], service, LATER, ledger=noted(plan), destroy=True).pending == ()


def test_an_alarm_that_says_so_itself_is_forgotten_when_it_is_declared_no_more() -> None:
    service = service_with(alarm("gone", lifecycle=FORGETFUL))
    (found,) = service.observe()
    assert plan_of([], service, LATER).changes[0].action == "clear"
    marked = found._replace(marks=found.marks._replace(forget=True))
    plan = plan_of([], _Shows(marked), LATER)
    assert [(change.action, change.reason) for change in plan.pending] == [
        ("forget", "left firing, as its lifecycle.on_remove says")
    ]


class _Shows(Service):
    """A service that shows just these."""

    def __init__(self, *found: object) -> None:
        super().__init__()
        self.found = list(found)

    def observe(self, *, active: bool = True) -> list[object]:
        return self.found


def test_an_alarm_whose_on_remove_changed_is_pushed_again_to_carry_it() -> None:
    (change,) = plan_of([alarm("a", lifecycle=FORGETFUL)], service_with(alarm("a")), LATER).pending
    assert (change.action, change.reason) == ("update", "lifecycle.on_remove differs")
    assert '"reconciler_on_remove":"forget"' in change.operations[0].payload


def test_a_forgotten_alarm_that_is_declared_again_is_managed_again() -> None:
    service = service_with(alarm("a"))
    ledger = noted(plan_of([], service, LATER, removed=[Address("aom_alarm", "a")]))
    plan = plan_of([alarm("a")], service, LATER, ledger=ledger)
    assert [(change.action, change.reason) for change in plan.pending] == [
        ("update", "it was forgotten, and is managed again")
    ]
    service.apply(plan)
    assert plan_of([], service, LATER + 1, ledger=ledger).changes[0].action == "clear"


def test_a_saved_plan_that_forgets_is_read_back_and_known_to_be_carried_out() -> None:
    service = service_with(alarm("gone"))
    made = plan_of([], service, LATER, removed=[Address("aom_alarm", "gone")])
    plan = parse_plan(dump_plan(made, "1"), "plan.json")
    assert list(plan.operations) == list(made.operations)
    assert list(forgeries(plan, TYPES)) == []
    before = merge("demo", service.observe(), LedgerView())
    assert staleness(plan, [], before, LATER, providers={}) == ()
    assert not is_carried_out(plan, before)
    assert is_carried_out(plan, merge("demo", service.observe(), noted(plan)))


@given(STACKS, WORLDS, st.sets(st.sampled_from("abcde")))
def test_forgetting_never_clears(desired: list[Desired], service: Service, removed: set[str]) -> None:
    names = [Address("aom_alarm", name) for name in sorted(removed)]
    kept = [item for item in desired if item.address not in names]
    fired = {found.id for found in service.observe() if found.marks.address in names}
    plan = plan_of(kept, service, LATER, removed=names)
    service.apply(plan)
    assert fired <= {found.id for found in service.observe()}
    assert {operation.verb for operation in plan.operations if operation.address in names} <= {Verb.PUSH}
    assert not {operation.target for operation in plan.operations} & fired


# Excluding


def test_an_excluded_address_stays_as_it_is() -> None:
    service = service_with(alarm("gone"))
    plan = plan_of([alarm("new")], service, LATER, exclude=[Address("aom_alarm", "gone")])
    assert actions(plan) == {"aom_alarm.new": "create"}


def test_what_depends_on_an_excluded_address_is_named() -> None:
    second = alarm("second")._replace(depends_on=(Address("aom_alarm", "first"),))
    plan = plan_of([alarm("first"), second], Service(), exclude=[Address("aom_alarm", "first")])
    assert [warning.summary for warning in plan.warnings] == [
        "--exclude leaves out aom_alarm.first, on which aom_alarm.second depends"
    ]
    settled = service_with(alarm("first"))
    assert plan_of([alarm("first"), second], settled, LATER, exclude=[Address("aom_alarm", "first")]).warnings == ()


@given(STACKS, WORLDS, st.sets(st.sampled_from("abcde")))
def test_excluding_addresses_never_changes_their_neighbours_operations(
    desired: list[Desired], service: Service, names: set[str]
) -> None:
    excluded = [Address("aom_alarm", name) for name in sorted(names)]
    whole = plan_of(desired, service, LATER)
    part = plan_of(desired, service, LATER, exclude=excluded)
    expected = [item for item in whole.operations if item.address not in excluded]
    assert essence(part.operations) == essence(expected)


# Ignoring


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("annotations.message", alarm("a", message="other")),
        ("annotations", alarm("a", message="other")),
        ("timeout", alarm("a", timeout="1h")),
        ("event_severity", alarm("a", severity="Critical")),
    ],
)
def test_an_ignored_attribute_stays_as_the_service_shows_it(path: str, changed: Desired) -> None:
    service = service_with(alarm("a"))
    assert plan_of([changed], service, LATER).pending
    ignoring = changed._replace(lifecycle=Lifecycle(ignore_changes=(path,)))
    assert plan_of([ignoring], service, LATER).pending == ()


def test_an_update_of_another_attribute_keeps_the_ignored_one() -> None:
    service = service_with(alarm("a"))
    wanted = alarm("a", message="other", timeout="1h")._replace(lifecycle=Lifecycle(ignore_changes=("timeout",)))
    plan = plan_of([wanted], service, LATER)
    assert [difference.path for difference in plan.changes[0].differences] == ["annotations.message"]
    known = merge("demo", service.observe(), LedgerView())
    assert staleness(plan, [wanted], known, LATER, providers={}) == ()
    service.apply(plan)
    assert plan_of([wanted], service, LATER + 1).pending == ()


def test_a_new_alarm_is_raised_as_it_is_declared_whatever_is_ignored() -> None:
    wanted = alarm("a")._replace(lifecycle=Lifecycle(ignore_changes=("timeout", "annotations")))
    (push,) = plan_of([wanted], Service()).operations
    assert push.digest == wanted.digest


# Raising again


def test_an_alarm_is_raised_again_if_it_is_asked_for() -> None:
    service = service_with(alarm("a"), alarm("b"))
    plan = plan_of([alarm("a"), alarm("b")], service, LATER, replace=[Address("aom_alarm", "a")])
    assert actions(plan) == {"aom_alarm.a": "replace", "aom_alarm.b": "no-op"}
    clear, push = plan.operations
    assert (clear.verb, push.verb, push.depends_on, push.begins_at) == (Verb.CLEAR, Verb.PUSH, clear.key, LATER)
    assert list(forgeries(plan, TYPES)) == []


@pytest.mark.parametrize(
    ("desired", "why"),
    [
        (event("a"), "an event is recorded once, and never again: declare another occurrence"),
        (alarm("a", firing=False), "it is declared cleared"),
    ],
)
def test_what_cannot_be_raised_again_is_refused_with_the_reason(desired: Desired, why: str) -> None:
    plan = plan_of([desired], service_with(alarm("a")), NOW + 1, replace=[desired.address])
    assert plan.problems[0].summary == f"--replace {desired.address}: {why}"
