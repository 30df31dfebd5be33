"""Alarms and the providers of a stack: moved from one to another, and seen through several."""

from __future__ import annotations

from reconciler.core.guards import Guards
from reconciler.core.operation import Status, Verb
from reconciler.ledger.protocol import Entry, LedgerView
from reconciler.plan.guard import violations
from reconciler.plan.planner import make_plan
from reconciler.plan.saved import dump_plan, parse_plan
from reconciler.plan.stale import staleness
from reconciler.plan.state import merge
from tests.plan.fake_service import LATER, NOW, TYPES, Service, actions, alarm, plan_of

MOVED = alarm()._replace(provider="aom.eu")


def _settled() -> Service:
    service = Service()
    service.apply(plan_of([alarm()], service))
    return service


def test_an_alarm_moved_to_another_provider_is_cleared_at_the_old_and_pushed_at_the_new() -> None:
    plan = plan_of([MOVED], _settled(), LATER)
    clear, push = plan.operations
    assert actions(plan) == {"aom_alarm.latency": "replace"}
    assert plan.changes[0].reason == "provider differs"
    assert plan.changes[0].differences == (("provider", "aom", "aom.eu", True),)
    assert (clear.verb, clear.provider) == (Verb.CLEAR, "aom")
    assert (push.verb, push.provider, push.depends_on) == (Verb.PUSH, "aom.eu", clear.key)


def test_a_saved_plan_keeps_the_provider_of_each_operation() -> None:
    plan = plan_of([MOVED], _settled(), LATER)
    assert list(parse_plan(dump_plan(plan, "1"), "plan.json").operations) == list(plan.operations)


def test_an_alarm_that_two_providers_of_one_project_show_fires_once() -> None:
    through_both = [found._replace(provider=key) for found in _settled().observe() for key in ("aom.eu", "aom")]
    for observed in (through_both, through_both[::-1]):
        for declared in (alarm(), MOVED):
            plan = make_plan("demo", [declared], observed, LATER, types=TYPES)
            assert actions(plan) == {"aom_alarm.latency": "no-op"}
        gone = make_plan("demo", [], observed, LATER, types=TYPES)
        assert [operation.verb for operation in gone.operations] == [Verb.CLEAR]


def test_a_hidden_push_at_another_provider_is_not_what_is_declared() -> None:
    (push,) = plan_of([alarm()], Service()).operations
    write = Entry(push, "run-1", NOW, 1, Status.DONE, NOW, None, None, None)
    plan = make_plan("demo", [MOVED], [], LATER, types=TYPES, ledger=LedgerView(recent=(write,)))
    assert "in another form" in plan.problems[0].summary


def test_a_saved_plan_is_stale_where_an_address_has_moved_to_another_provider() -> None:
    plan = plan_of([alarm()], Service())
    moved = staleness(plan, [MOVED], merge("demo", [], LedgerView()), LATER, providers={})
    assert [problem.address for problem in moved] == ["aom_alarm.latency"]


def test_guards_name_the_project_an_alarm_is_moved_away_from() -> None:
    plan = plan_of([MOVED], _settled(), LATER)
    refused = violations(plan, Guards(projects=("new",)), {"aom": "old", "aom.eu": "new"})
    assert [problem.summary for problem in refused] == [
        "aom_alarm.latency is in project old, and guards.projects allows new"
    ]
