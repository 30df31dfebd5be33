"""Alarms whose content somebody changed at the service while their marks stayed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.core.observed import Observed
from reconciler.core.operation import Verb
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan
from tests.plan.fake_service import LATER, TYPES, Service, actions, alarm, plan_of

DECLARED = alarm(message="p99 above 2 s " + "on every host " * 10)


def _plan(change: Callable[[Observed], Observed]) -> Plan:
    service = Service()
    service.apply(plan_of([DECLARED], service))
    return make_plan("demo", [DECLARED], [change(found) for found in service.observe()], LATER, types=TYPES)


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


@pytest.mark.parametrize(
    "normalise",
    [
        _annotated(added="by the service"),
        _annotated(message=str(DECLARED.attributes["annotations"]["message"]).strip()),  # type: ignore[index]  # a dict
        _annotated(message=str(DECLARED.attributes["annotations"]["message"])[:80]),  # type: ignore[index]  # a dict
        lambda found: found._replace(attributes={**found.attributes, "timeout": str(found.attributes["timeout"])}),
        lambda found: found._replace(attributes={"annotations": found.attributes["annotations"]}),
    ],
    ids=["added", "trimmed", "cut", "respelled", "left out"],
)
def test_what_a_service_normalises_makes_no_change(normalise: Callable[[Observed], Observed]) -> None:
    assert actions(_plan(normalise)) == {"aom_alarm.latency": "no-op"}
