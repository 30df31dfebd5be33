"""Canaries in plans: one that is up is its check's matter, one that was left behind is cleared."""

from __future__ import annotations

import pytest

from reconciler.core.address import canary_address
from reconciler.core.duration import MINUTE
from reconciler.ledger.protocol import LedgerView
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan
from tests.plan.fake_service import NOW, TYPES, Service, actions, alarm, plan_of

CANARY = alarm()._replace(address=canary_address("path", "aom_alarm"))
ADDRESS = 'aom_alarm.reconciler_canary["path"]'


@pytest.fixture
def service() -> Service:
    """Where a canary is up."""
    service = Service()
    service.apply(plan_of([CANARY], service))
    return service


def planned(service: Service, after: int, memory: LedgerView, *, destroy: bool = False) -> Plan:
    return make_plan("demo", [], service.observe(), NOW + after, types=TYPES, ledger=memory, destroy=destroy)


def ours(service: Service, *, lease_held: bool) -> LedgerView:
    [canary] = service.observe()
    return LedgerView(canary_plans=frozenset({canary.marks.run}), lease_held=lease_held)


def test_a_canary_of_this_ledger_is_left_alone_while_another_run_is_at_work(service: Service) -> None:
    assert actions(planned(service, 20 * MINUTE, ours(service, lease_held=True))) == {}


def test_a_canary_of_this_ledger_that_no_run_takes_back_is_cleared_at_once(service: Service) -> None:
    assert actions(planned(service, 0, ours(service, lease_held=False))) == {ADDRESS: "clear"}


@pytest.mark.parametrize("lease_held", [True, False])
def test_a_canary_of_another_ledger_is_left_alone_while_it_is_young(service: Service, lease_held: bool) -> None:
    memory = LedgerView(lease_held=lease_held)
    assert actions(planned(service, 10 * MINUTE - 1, memory)) == {}
    assert actions(planned(service, 10 * MINUTE, memory)) == {ADDRESS: "clear"}


def test_destroying_clears_any_canary(service: Service) -> None:
    assert actions(planned(service, 0, LedgerView(), destroy=True)) == {ADDRESS: "clear"}


def test_an_alarm_that_is_declared_at_such_an_address_is_no_canary(service: Service) -> None:
    cleared = CANARY._replace(firing=False)
    plan = make_plan("demo", [cleared], service.observe(), NOW, types=TYPES)
    assert actions(plan) == {ADDRESS: "clear"}
