from __future__ import annotations

import json

import pytest

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Lifecycle
from reconciler.core.duration import HOUR, MINUTE, SECOND
from reconciler.core.guards import Guards
from reconciler.core.observed import State
from reconciler.core.operation import Operation, Status, Verb
from reconciler.ledger.protocol import Entry, LedgerView
from reconciler.plan.guard import violations
from reconciler.plan.plan import Plan, drift_only
from reconciler.plan.state import absent_addresses, merge
from tests.plan.fake_service import LATER, NOW, Service, actions, alarm, event, plan_of


def _settled(*desired: object, merges: bool = True) -> Service:
    service = Service(merges)
    service.apply(plan_of(desired, service))
    return service


def _reason(plan: Plan) -> str:
    return plan.changes[0].reason


def test_an_alarm_that_does_not_fire_is_created_with_its_marks() -> None:
    plan = plan_of([alarm()], Service())
    (operation,) = plan.operations
    item = json.loads(operation.payload)
    assert actions(plan) == {"aom_alarm.latency": "create"}
    assert item["starts_at"] == NOW
    assert item["timeout"] == 30 * MINUTE
    assert item["metadata"]["reconciler_stack"] == "demo"
    assert item["metadata"]["reconciler_address"] == "aom_alarm.latency"
    assert item["annotations"]["reconciler_key"] == operation.key
    assert item["annotations"]["reconciler_run"] == plan.id


def test_an_alarm_as_declared_is_left_alone() -> None:
    assert actions(plan_of([alarm()], _settled(alarm()), LATER)) == {"aom_alarm.latency": "no-op"}


def test_a_changed_annotation_is_an_update_that_keeps_the_beginning() -> None:
    plan = plan_of([alarm(message="slower")], _settled(alarm()), LATER)
    push, second = plan.operations
    assert actions(plan) == {"aom_alarm.latency": "update"}
    assert json.loads(push.payload)["starts_at"] == NOW
    assert second.verb is Verb.CLEAR
    assert second.only_if_duplicate
    assert second.depends_on == push.key
    (difference,) = plan.changes[0].differences
    assert difference == ("annotations.message", "slow", "slower", False)


def test_an_update_whose_kept_beginning_would_end_it_at_once_begins_anew() -> None:
    plan = plan_of([alarm(timeout="4m")], _settled(alarm()), LATER)
    push = next(iter(plan.operations))
    assert json.loads(push.payload)["starts_at"] == LATER


def test_a_changed_severity_clears_the_old_alarm_and_then_pushes() -> None:
    plan = plan_of([alarm(severity="Critical")], _settled(alarm()), LATER)
    clear, push = plan.operations
    assert actions(plan) == {"aom_alarm.latency": "replace"}
    assert (clear.verb, push.verb) == (Verb.CLEAR, Verb.PUSH)
    assert push.depends_on == clear.key
    assert json.loads(clear.payload)["metadata"]["event_severity"] == "Major"
    assert plan.changes[0].differences[0] == ("event_severity", "Major", "Critical", True)


def test_create_before_clear_turns_the_order() -> None:
    wanted = alarm(severity="Critical", lifecycle=Lifecycle(create_before_clear=True))
    push, clear = plan_of([wanted], _settled(alarm()), LATER).operations
    assert push.verb is Verb.PUSH
    assert clear.depends_on == push.key


def test_an_alarm_declared_cleared_is_cleared_by_id_and_metadata() -> None:
    service = _settled(alarm())
    plan = plan_of([alarm(firing=False)], service, LATER)
    (clear,) = plan.operations
    item = json.loads(clear.payload)
    assert actions(plan) == {"aom_alarm.latency": "clear"}
    assert item["id"] == clear.target == "1"
    assert item["metadata"] == service.items["1"]["metadata"]
    assert item["ends_at"] == LATER


def test_an_alarm_gone_from_the_configuration_is_cleared() -> None:
    plan = plan_of([], _settled(alarm(), event()), LATER)
    assert actions(plan) == {"aom_alarm.latency": "clear"}
    assert _reason(plan) == "no longer in the configuration"


def test_an_alarm_about_to_expire_is_renewed_from_now() -> None:
    wanted = alarm(lifecycle=Lifecycle.model_validate({"renew_before": "10m"}))
    service = _settled(wanted)
    early, late = NOW + 19 * MINUTE, NOW + 21 * MINUTE
    assert actions(plan_of([wanted], service, early)) == {"aom_alarm.latency": "no-op"}
    plan = plan_of([wanted], service, late)
    assert actions(plan) == {"aom_alarm.latency": "renew"}
    assert _reason(plan) == "expires in 9m, within renew_before of 10m"
    service.apply(plan)
    assert actions(plan_of([wanted], service, late)) == {"aom_alarm.latency": "no-op"}


def test_two_alarms_at_one_address_are_healed_to_the_newest() -> None:
    service = _settled(alarm())
    service.items["older"] = {**service.items["1"], "starts_at": NOW - HOUR}
    plan = plan_of([alarm()], service, LATER)
    (clear,) = plan.operations
    assert clear.target == "older"
    assert plan.changes[0].drift


@pytest.mark.parametrize("merges", [True, False])
def test_an_update_converges_whether_or_not_the_service_merges(merges: bool) -> None:
    service = _settled(alarm(), merges=merges)
    service.apply(plan_of([alarm(message="slower")], service, LATER))
    assert [found.attributes["annotations"] for found in service.observe()] == [{"message": "slower"}]
    assert actions(plan_of([alarm(message="slower")], service, LATER)) == {"aom_alarm.latency": "no-op"}


def test_drift_says_whether_the_alarm_expired_or_was_cleared_and_when() -> None:
    service = _settled(alarm())
    service.items["1"]["ends_at"] = NOW + 30 * MINUTE
    (ended,) = service.observe(active=False)
    cleared = plan_of([alarm()], service, NOW + HOUR, history=[ended])
    expired = plan_of([alarm()], service, NOW + HOUR, history=[ended._replace(state=State.EXPIRED)])
    ours = plan_of([alarm()], service, NOW + HOUR, history=[ended], ledger=LedgerView(cleared={"1": NOW}))
    assert _reason(cleared) == "cleared at 2027-01-15T08:30:00Z, not by this stack's ledger"
    assert _reason(expired) == "expired at 2027-01-15T08:30:00Z, 30m after it started"
    assert _reason(ours) == "not firing: this stack cleared it at 2027-01-15T08:30:00Z"
    assert [plan.changes[0].drift for plan in (cleared, expired, ours)] == [True, True, False]
    assert [plan.changes[0].action for plan in (cleared, expired, ours)] == [Action.CREATE] * 3


def test_history_is_wanted_only_where_something_should_fire_and_does_not() -> None:
    service = _settled(alarm("there"))
    desired = [alarm("there"), alarm("absent"), alarm("off", firing=False), event()]
    past = merge("demo", service.observe(), LedgerView())
    assert absent_addresses(desired, past) == (Address("aom_alarm", "absent"),)


def test_an_event_is_recorded_once_for_each_occurrence_and_never_pruned() -> None:
    service = _settled(event(occurrence="v1"))
    assert actions(plan_of([event(occurrence="v1")], service, LATER)) == {"aom_event.released": "no-op"}
    assert actions(plan_of([event(occurrence="v2")], service, LATER)) == {"aom_event.released": "record"}
    assert actions(plan_of([], service, LATER)) == {}


def test_an_event_the_ledger_remembers_is_not_recorded_again() -> None:
    memory = LedgerView(recorded=frozenset({(Address("aom_event", "released"), "v1")}))
    assert actions(plan_of([event()], Service(), ledger=memory)) == {"aom_event.released": "no-op"}


def test_an_event_tried_before_keeps_the_time_of_its_first_attempt() -> None:
    memory = LedgerView(attempted={(Address("aom_event", "released"), "v1"): NOW - MINUTE})
    (push,) = plan_of([event()], Service(), ledger=memory).operations
    assert json.loads(push.payload)["starts_at"] == push.begins_at == NOW - MINUTE


def test_prevent_clear_makes_a_clear_and_a_replace_an_error() -> None:
    kept = Lifecycle(prevent_clear=True)
    service = _settled(alarm())
    for wanted in (alarm(firing=False, lifecycle=kept), alarm(severity="Info", lifecycle=kept)):
        plan = plan_of([wanted], service, LATER)
        (problem,) = plan.problems
        assert "prevent_clear" in problem.summary
        assert not list(plan.operations)
    destroyed = plan_of([alarm(lifecycle=kept)], service, LATER, destroy=True)
    assert destroyed.problems


def test_destroy_clears_all_that_the_stack_owns_and_records_nothing() -> None:
    service = _settled(alarm(), alarm("forgotten"))
    plan = plan_of([alarm(), event()], service, LATER, destroy=True)
    assert actions(plan) == {"aom_alarm.latency": "clear", "aom_alarm.forgotten": "clear"}
    service.apply(plan)
    assert service.observe() == []


def test_targets_limit_the_plan_and_a_name_covers_all_its_instances() -> None:
    desired = [alarm("a", "1"), alarm("a", "2"), alarm("b")]
    plan = plan_of(desired, _settled(alarm("old")), LATER, targets=[Address("aom_alarm", "a")])
    assert actions(plan) == {'aom_alarm.a["1"]': "create", 'aom_alarm.a["2"]': "create"}


def _done(sent: Operation) -> Entry:
    """The journal's entry of an operation that has just been done."""
    return Entry(sent, "run-1", NOW, 1, Status.DONE, NOW, None, None, None)


def test_a_push_the_service_does_not_show_yet_is_not_repeated() -> None:
    (push,) = plan_of([alarm()], Service()).operations
    memory = LedgerView(recent=(_done(push),))
    plan = plan_of([alarm()], Service(), NOW + 5 * SECOND, ledger=memory)
    assert actions(plan) == {"aom_alarm.latency": "no-op"}
    assert _reason(plan) == "pushed 5s ago, not visible yet"


def test_what_is_hidden_still_can_not_be_changed() -> None:
    (push,) = plan_of([alarm()], Service()).operations
    memory = LedgerView(recent=(_done(push),))
    plan = plan_of([alarm(severity="Info")], Service(), NOW + 5 * SECOND, ledger=memory)
    assert "does not show it yet" in plan.problems[0].summary


def test_a_clear_the_service_does_not_show_yet_counts_as_done() -> None:
    service = _settled(alarm())
    (clear,) = plan_of([], service, LATER).operations
    memory = LedgerView(recent=(_done(clear),))
    assert actions(plan_of([], service, LATER, ledger=memory)) == {}


def test_the_same_question_gives_the_same_plan_to_the_byte() -> None:
    service = _settled(alarm("a"), alarm("b"))
    desired = [alarm("a", severity="Info"), alarm("c")]
    one, two = (plan_of(desired, service, LATER) for _ in range(2))
    assert one == two


def test_guards_count_changes_and_clears_and_name_severities_and_projects() -> None:
    service = _settled(alarm("a"), alarm("b"))
    plan = plan_of([alarm("c", severity="Critical"), alarm("a", message="other")], service, LATER)
    guards = Guards(max_changes=2, max_clears=0, severities=("Major",), projects=("other",))
    found = [diagnostic.summary for diagnostic in violations(plan, guards, {"aom": "demo"})]
    assert found[:3] == [
        "the plan makes 3 changes, and guards.max_changes allows 2",
        "the plan clears 1 alarm, and guards.max_clears allows 0",
        "aom_alarm.c has severity Critical, and guards.severities allows Major",
    ]
    assert len(found) == 6
    assert violations(plan, Guards.model_validate({}), {"aom": "demo"}) == ()


def test_drift_only_keeps_what_the_service_caused() -> None:
    service = _settled(alarm("a"))
    service.items["older"] = {**service.items["1"], "starts_at": NOW - HOUR}
    plan = drift_only(plan_of([alarm("a"), alarm("b")], service, LATER))
    assert actions(plan) == {"aom_alarm.a": "update"}
    assert not list(plan.operations)


def test_a_problem_free_plan_has_no_problems() -> None:
    plan = plan_of([alarm(), event()], Service())
    assert plan._replace(problems=()) == plan
