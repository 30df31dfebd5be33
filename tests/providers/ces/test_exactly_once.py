"""Planned and applied for real: each occurrence on record once, whatever lies between the question and the answer."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from reconciler.apply.executor import apply_plan
from reconciler.apply.options import NullProgress, Options
from reconciler.apply.result import Result
from reconciler.apply.settle import resolve_open_intents
from reconciler.core.action import Action
from reconciler.core.desired import Desired
from reconciler.core.duration import HOUR, MINUTE
from reconciler.emulator.settings import Settings
from reconciler.ledger.sqlite import open_ledger
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan
from reconciler.providers.ces import PROVIDER
from tests.providers.ces.objects import STACK, desired, opened


class EmulatorClock:
    """The emulator's clock, which waits by moving on."""

    def __init__(self, emulator) -> None:
        self._emulator = emulator

    def now(self) -> int:
        return self._emulator.now()

    def monotonic(self) -> int:
        return self.now()

    def pause(self, milliseconds: int, stop: Event) -> bool:
        self._emulator.advance(milliseconds)
        return stop.is_set()


class Checkout:
    """A place that has the configuration, and a ledger of its own."""

    def __init__(self, emulator, path: Path) -> None:
        self.clock = EmulatorClock(emulator)
        self.provider = opened(emulator.url, self.clock.now, request_timeout="5s", visible_within="5s")
        self.ledger = open_ledger(path)

    def close(self) -> None:
        self.provider.close()
        self.ledger.close()

    def plan(self, *declared: Desired) -> Plan:
        now = self.clock.now()
        observed = list(self.provider.observe(STACK, declared))
        view = self.ledger.view(now, self.provider.limits.visible_within)
        return make_plan(STACK, declared, observed, now, types=PROVIDER.resource_types, ledger=view)

    def apply(self, *declared: Desired) -> Result:
        holder = self.ledger.acquire("tester", "here", 1, self.clock.now(), HOUR)
        try:
            providers = {"ces": self.provider}
            resolve_open_intents(self.ledger, holder, providers, self.clock, Event(), NullProgress())
            plan = self.plan(*declared)
            assert plan.problems == ()
            return apply_plan(
                plan, providers, self.ledger, holder, clock=self.clock, stop=Event(), options=Options(draw=lambda: 0.5)
            )
        finally:
            self.ledger.release(holder)


@pytest.fixture
def checkout(emulator, tmp_path):
    with closing(Checkout(emulator, tmp_path / "one.db")) as made:
        yield made


@pytest.fixture
def another(emulator, tmp_path):
    with closing(Checkout(emulator, tmp_path / "two.db")) as made:
        yield made


def test_an_occurrence_is_recorded_once_from_two_machines(emulator, checkout, another) -> None:
    event = desired(occurrence="v1")
    result = checkout.apply(event)
    assert result.remaining == ()
    assert result.unconfirmed == frozenset()
    assert [outcome.id for outcome in result.outcomes.values()] == [emulator.ces_events()[0]["event_id"]]
    emulator.advance(MINUTE)
    for place in (checkout, another):
        assert [change.action for change in place.plan(event).changes] == [Action.NO_OP]
        place.apply(event)
    assert len(emulator.ces_events()) == 1
    another.apply(desired(occurrence="v2"))
    assert len(emulator.ces_events()) == 2


@pytest.mark.parametrize(
    "fault",
    [
        "ces-report:cut,nth=1",
        "ces-report:store-then-cut,nth=1",
        "ces-report:store-then-500,nth=1",
        "ces-report:status=500,nth=1",
        "ces-report:status=408,nth=1",
        "ces-report:status=429,retry_after=1,nth=1",
        "ces-report:html,nth=1",
        "ces-report:cut-body,nth=1",
    ],
)
def test_a_fault_between_question_and_answer_leaves_one_event_each(emulator, checkout, fault: str) -> None:
    emulator.fault(fault)
    events = [desired("n", f"k{n}") for n in range(130)]
    result = checkout.apply(*events)
    assert result.remaining == ()
    assert len(emulator.ces_events()) == 130
    assert checkout.plan(*events).pending == ()


@pytest.mark.parametrize("emulator", [Settings(visible_after=3_000)], indirect=True)
def test_a_service_that_is_slow_to_show_is_not_told_twice(emulator, checkout) -> None:
    emulator.fault("ces-report:store-then-cut,nth=1")
    result = checkout.apply(desired("a"), desired("b", event_user="ops"))
    assert result.remaining == ()
    assert len(emulator.ces_events()) == 2


def test_a_time_long_gone_is_a_problem_of_the_plan(emulator, checkout) -> None:
    plan = checkout.plan(desired("good"), desired("late", time=checkout.clock.now() - 2 * HOUR))
    [problem] = plan.problems
    assert problem.address == "ces_event.late"
    assert "the service's window for it closed 1h" in problem.summary


def test_a_time_too_far_ahead_is_a_problem_of_the_plan(emulator, checkout) -> None:
    plan = checkout.plan(desired("early", time=checkout.clock.now() + 20 * MINUTE))
    [problem] = plan.problems
    assert "lies 20m ahead: the service takes at most 9m50s" in problem.summary


def test_a_plan_says_until_when_it_can_be_applied(emulator, checkout) -> None:
    plan = checkout.plan(desired())
    assert plan.send_by == plan.planned_at + 59 * MINUTE + 50_000
