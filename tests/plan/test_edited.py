"""Alarms whose content somebody changed at the service while their marks stayed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.apply.verify import shown_contents
from reconciler.core.observed import Observed
from reconciler.core.operation import Verb
from reconciler.ledger.protocol import LedgerView
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan
from tests.plan.fake_service import LATER, TYPES, Service, actions, alarm, plan_of

MESSAGE = "p99 above 2 s " + "on every host " * 10
DECLARED = alarm(message=MESSAGE)


def _plan(change: Callable[[Observed], Observed], shown: Callable[[Observed], Observed] | None = None) -> Plan:
    """What is planned for an alarm that ``change`` was done to; ``shown`` is what the service made of the push."""
    service = Service()
    service.apply(plan_of([DECLARED], service))
    pushed = service.observe()
    view = LedgerView()
    if shown is not None:
        contents = shown_contents(plan_of([DECLARED], Service()).operations, map(shown, pushed))
        view = view._replace(shown=contents)
    return make_plan("demo", [DECLARED], list(map(change, pushed)), LATER, types=TYPES, ledger=view)


def _annotated(**values: str) -> Callable[[Observed], Observed]:
    def change(found: Observed) -> Observed:
        annotations = found.attributes["annotations"]
        assert isinstance(annotations, dict)
        return found._replace(attributes={**found.attributes, "annotations": {**annotations, **values}})

    return change


def test_an_alarm_that_was_edited_by_hand_is_drift_and_pushed_again() -> None:
    plan = _plan(_annotated(message="all is well"))
    (change,) = plan.pending
    assert (change.action, change.drift) == ("update", True)
    assert change.reason == "changed by hand: annotations.message differs"
    assert [operation.verb for operation in change.operations if not operation.only_if_duplicate] == [Verb.PUSH]


def test_an_alarm_whose_severity_was_edited_by_hand_is_replaced() -> None:
    plan = _plan(lambda found: found._replace(identity={**found.identity, "event_severity": "Info"}))
    assert [(change.action, change.drift) for change in plan.pending] == [("replace", True)]


NORMALISATIONS = pytest.mark.parametrize(
    "normalise",
    [
        _annotated(added="by the service"),
        _annotated(message=MESSAGE.strip()),
        _annotated(message=MESSAGE[:80]),
        lambda found: found._replace(attributes={**found.attributes, "timeout": str(found.attributes["timeout"])}),
        lambda found: found._replace(attributes={"annotations": found.attributes["annotations"]}),
    ],
    ids=["added", "trimmed", "cut", "respelled", "left out"],
)


@NORMALISATIONS
def test_without_a_verified_push_what_looks_normalised_makes_no_change(
    normalise: Callable[[Observed], Observed],
) -> None:
    assert actions(_plan(normalise)) == {"aom_alarm.latency": "no-op"}


@NORMALISATIONS
def test_what_differs_from_what_a_verified_push_showed_is_an_edit(normalise: Callable[[Observed], Observed]) -> None:
    (change,) = _plan(normalise, shown=lambda found: found).pending
    assert change.drift
    assert change.reason.startswith("changed by hand: ")


@pytest.mark.parametrize(
    "normalise",
    [
        _annotated(message="[redacted]"),
        lambda found: found._replace(identity={**found.identity, "resource_id": "urn:ecs-1"}),
        lambda found: found._replace(attributes={"annotations": {}, "timeout": "half an hour"}),
    ],
    ids=["replaced", "identity", "dropped"],
)
def test_what_a_verified_push_showed_makes_no_change_whatever_the_service_made_of_it(
    normalise: Callable[[Observed], Observed],
) -> None:
    assert actions(_plan(normalise, shown=normalise)) == {"aom_alarm.latency": "no-op"}
    edited = _plan(lambda found: _annotated(message="all is well")(normalise(found)), shown=normalise)
    assert [change.drift for change in edited.pending] == [True]


def test_an_edited_copy_beside_an_intact_alarm_is_cleared_and_the_alarm_is_left_alone() -> None:
    service = Service(merges=False)
    service.apply(plan_of([DECLARED], service))
    (intact,) = service.observe()
    copy = _annotated(message="all is well")(intact)._replace(id="copy", starts_at=intact.starts_at + 1)
    plan = make_plan("demo", [DECLARED], [copy, intact], LATER, types=TYPES)
    assert [(operation.verb, operation.target) for operation in plan.operations if operation.target] == [
        (Verb.CLEAR, "copy")
    ]
    assert [operation for operation in plan.operations if operation.verb is Verb.PUSH] == []
