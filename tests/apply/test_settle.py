"""Settling: what a dead run left open gets its outcome; only what may have been sent and matters is waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest

from reconciler.core.action import Action
from reconciler.core.desired import Desired
from reconciler.core.duration import HOUR, MINUTE, SECOND
from reconciler.core.operation import Operation, Outcome, Status
from reconciler.emulator.settings import Settings
from reconciler.ledger.protocol import Run, RunState
from tests.apply.harness import OWNER, Harness, start_harness
from tests.emulator.handle import Emulator
from tests.plan.fake_service import alarm, event

Start = Callable[[Settings], Emulator]
WINDOW = 16 * SECOND
"""What an event is waited for: ``visible_within``, and since its sender is alive a second until its request
leaves, and ``request_timeout``.
"""


def left_open(it: Harness, desired: Sequence[Desired], begun: int, *, target: str = "") -> list[Operation]:
    """Operations that a run has journalled before it died, the first ``begun`` of them as being sent."""
    with closing(it.ledger()) as ledger, closing(it.provider()) as provider:
        plan = it.plan(desired, ledger, provider)
        holder = ledger.acquire(OWNER.name, OWNER.host, OWNER.pid, it.clock.now(), SECOND)
        targets = {"aom": target} if target else {}
        ledger.begin(holder, Run("run", plan.id, "apply", it.clock.now(), None, RunState.RUNNING, targets))
        operations = list(plan.operations)
        ledger.record_intents(holder, "run", operations, it.clock.now())
        if begun:
            ledger.begin_attempts(holder, [operation.key for operation in operations[:begun]], it.clock.now())
        ledger.release(holder)
    return operations


def send(it: Harness, operations: list[Operation]) -> None:
    with closing(it.provider()) as provider:
        provider.send(operations)


def test_what_was_never_begun_is_closed_without_a_query(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    left_open(it, [alarm("a"), event()], begun=0)
    it.emulator.forget_requests()
    began = it.clock.time
    assert len(it.settle().lost) == 2
    assert (it.clock.time, it.emulator.requests()) == (began, [])


def test_an_alarm_that_was_just_forgotten_is_not_looked_for(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    (operation,) = left_open(it, [alarm("a")], begun=0)
    noted = operation._replace(key="noted", payload="{}", occurrence="forgotten a", is_recorded=True)
    with closing(it.ledger()) as ledger:
        holder = ledger.acquire(OWNER.name, OWNER.host, OWNER.pid, it.clock.now(), SECOND)
        ledger.record_intents(holder, "run", [noted], it.clock.now())
        ledger.record_outcomes([Outcome(noted.key, Status.DONE)], it.clock.now())
        ledger.release(holder)
    it.emulator.forget_requests()
    it.settle()
    assert it.emulator.requests() == []


def test_an_alarm_that_does_not_show_is_not_waited_for_if_it_is_declared(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    declared = [alarm("a"), alarm("b")]
    left_open(it, declared, begun=2)
    began = it.clock.time
    assert len(it.settle(wanted=declared).lost) == 2
    assert it.clock.time == began


@pytest.mark.parametrize("declared", [[], [alarm("a", firing=False)]], ids=["undeclared", "declared cleared"])
def test_an_alarm_that_does_not_show_yet_and_is_not_declared_firing_any_more_is_cleared(
    start_emulator: Start, tmp_path: Path, declared: list[Desired]
) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(visible_after=2 * SECOND))
    send(it, left_open(it, [alarm("a")], begun=1))
    assert [change.action for change in it.apply(declared).plan.pending] == [Action.CLEAR]
    assert it.active() == []


@pytest.mark.parametrize(
    "changed",
    [[], [alarm("a", message="other")], [alarm("a", severity="Critical")]],
    ids=["clear", "update", "replace"],
)
@pytest.mark.parametrize("on_repeat", ["merge", "duplicate"])
def test_an_alarm_is_restored_whose_interrupted_change_does_not_show_yet(
    start_emulator: Start, tmp_path: Path, changed: list[Desired], on_repeat: Literal["merge", "duplicate"]
) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(visible_after=2 * SECOND, on_repeat=on_repeat))
    it.apply([alarm("a")])
    operations = [item for item in left_open(it, changed, begun=1) if not item.only_if_duplicate]
    send(it, operations[:1])
    assert len(it.apply([alarm("a")]).plan.pending) == 1
    it.clock.time += 2 * SECOND
    assert it.apply([alarm("a")]).plan.pending == ()
    assert it.active() == ["aom_alarm.a"]


@pytest.mark.parametrize(("age", "wait"), [(0, WINDOW), (12 * SECOND, 4 * SECOND), (MINUTE, 0)])
def test_an_event_is_waited_for_as_long_as_is_left_of_its_window(
    start_emulator: Start, tmp_path: Path, age: int, wait: int
) -> None:
    it = start_harness(start_emulator, tmp_path)
    [operation] = left_open(it, [event()], begun=1)
    it.clock.time += age
    began = it.clock.time
    assert [entry.operation.key for entry in it.settle().lost] == [operation.key]
    assert wait <= it.clock.time - began <= wait + 2 * SECOND


def test_an_event_that_shows_late_has_arrived(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    first, second = left_open(it, [event("one"), event("two")], begun=2)
    it.emulator.fault("push:hide=5s")
    send(it, [first])
    found = it.settle()
    assert [entry.operation.key for entry in found.arrived] == [first.key]
    assert [entry.operation.key for entry in found.lost] == [second.key]


def test_what_shows_at_once_is_not_waited_for(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    send(it, left_open(it, [alarm("one"), event()], begun=2))
    began = it.clock.time
    assert len(it.settle().arrived) == 2
    assert it.clock.time == began


@pytest.mark.parametrize("later", [0, SECOND])
def test_a_push_that_arrived_late_and_was_cleared_since_is_not_waited_for(
    start_emulator: Start, tmp_path: Path, later: int
) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(on_repeat="duplicate"))
    it.options = it.options._replace(verify=False)
    late = left_open(it, [alarm("a")], begun=1)
    it.clock.time += SECOND  # so that the apply plans a push of its own
    assert it.apply([alarm("a")]).remaining == ()
    it.clock.time += later
    send(it, late)
    with closing(it.ledger()) as ledger:
        ledger.record_outcomes([Outcome(item.key, Status.DONE) for item in late], it.clock.now())
    assert it.apply([alarm("a")]).remaining == ()
    assert it.active() == ["aom_alarm.a"], "one of the two is cleared"
    began = it.clock.time
    assert it.apply([alarm("a", message="changed")]).remaining == ()
    assert it.clock.time == began


@pytest.mark.parametrize("arrives", [True, False])
def test_an_apply_sends_the_rest_while_it_waits_for_an_event(
    start_emulator: Start, tmp_path: Path, arrives: bool
) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(on_repeat="duplicate"))
    operations = left_open(it, [event()], begun=1)
    began = it.clock.time
    if arrives:
        it.emulator.fault("push:hide=8s,nth=1")
        send(it, operations)
    result = it.apply([event(), alarm("a")])
    assert result.remaining == ()
    assert it.clock.time - began >= (8 * SECOND if arrives else WINDOW)
    assert it.recorded() == [("aom_event.released", "v1")]
    [raised] = it.emulator.active_alarms()
    assert raised["starts_at"] < began + SECOND, "the alarm did not wait"
    assert any("may have recorded 1 event of an earlier run: waiting for it until" in note for note in it.watcher.notes)
    with closing(it.ledger()) as ledger:
        assert ledger.open_intents() == []


def test_what_was_begun_at_another_target_stays_open(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    left_open(it, [event()], begun=1, target="aom elsewhere")
    found = it.settle(targets={"aom": "aom here"})
    assert [entry.target for entry in found.open] == ["aom elsewhere"]
    with closing(it.ledger()) as ledger:
        assert len(ledger.open_intents()) == 1


def test_a_wall_clock_that_is_set_back_does_not_prolong_a_wait(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(visible_after=4 * HOUR))
    it.clock.set_back_at_next_wait = 2 * HOUR
    result = it.apply([alarm("a")])
    assert len(result.unconfirmed) == 1
    assert it.clock.waited <= 12 * SECOND
