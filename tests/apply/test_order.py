"""``depends_on``: what comes first is done before the rest begins."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.core.address import Address
from reconciler.core.operation import Status
from reconciler.emulator.settings import Settings
from reconciler.plan.saved import dump_plan, parse_plan
from tests.apply.harness import Harness, start_harness
from tests.emulator.handle import Emulator
from tests.plan.fake_service import alarm, event

Start = Callable[[Settings], Emulator]

STARTED = event("started")
ALARMS = [alarm("latency", key)._replace(depends_on=(STARTED.address,)) for key in ("a", "b", "c")]
FINISHED = event("finished")._replace(depends_on=(Address("aom_alarm", "latency"), STARTED.address))
RELEASE = [FINISHED, *ALARMS, STARTED]


def pushed(it: Harness) -> list[list[str]]:
    """The names of each push, in the order they were made."""
    return [
        sorted({item["metadata"]["reconciler_address"].split("[")[0] for item in body["events"]})
        for body in it.emulator.bodies("push")
    ]


def test_what_comes_first_is_done_before_the_rest_begins(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path, parallelism=4, batch_size=2)
    assert it.apply(RELEASE).remaining == ()
    assert pushed(it) == [["aom_event.started"], *[["aom_alarm.latency"]] * 2, ["aom_event.finished"]]


def test_what_is_as_declared_already_is_not_waited_for(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    it.apply([*ALARMS, STARTED])
    it.emulator.forget_requests()
    assert it.apply(RELEASE).remaining == ()
    assert pushed(it) == [["aom_event.finished"]]


def test_a_clear_comes_first_too(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    it.apply([*ALARMS, STARTED])
    it.emulator.forget_requests()
    it.apply([FINISHED, *(item._replace(firing=False) for item in ALARMS), STARTED])
    writes = [request["operation"] for request in it.emulator.requests() if request["operation"] in ("push", "clear")]
    assert writes == ["clear", "push"]


def test_what_waits_for_a_failure_is_not_sent_and_named(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    it.emulator.fault("push:status=400,nth=1")
    result = it.apply(RELEASE)
    assert [change.address for change in result.remaining] == [item.address for item in RELEASE]
    assert len(it.emulator.bodies("push")) == 1
    finished = next(change for change in result.plan.changes if change.address == FINISHED.address)
    outcome = result.outcomes[finished.operations[0].key]
    assert outcome.status is Status.FAILED
    assert outcome.error is not None
    assert outcome.error.message == "not sent: an operation that it depends on is not done"
    assert it.apply(RELEASE).remaining == ()


@pytest.mark.parametrize("mode", ["merge", "duplicate"])
def test_a_saved_plan_keeps_the_order(start_emulator: Start, tmp_path: Path, mode: str) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(on_repeat=mode))
    with closing(it.ledger()) as ledger, closing(it.provider()) as provider:
        plan = it.plan(RELEASE, ledger, provider)
    it.apply((), plan=parse_plan(dump_plan(plan, "1"), "plan.json"))
    assert pushed(it) == [["aom_event.started"], ["aom_alarm.latency"], ["aom_event.finished"]]
