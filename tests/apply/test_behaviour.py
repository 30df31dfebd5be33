"""What a service does is learnt once for each target, kept in the ledger, used, and put right when it changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.core.duration import MINUTE, SECOND
from reconciler.core.operation import Operation, Status
from reconciler.emulator.settings import Settings
from reconciler.ledger.protocol import Behaviour
from reconciler.providers.protocol import Provider
from tests.apply.harness import Harness, start_harness
from tests.emulator.handle import Emulator
from tests.plan.fake_service import alarm, event

Start = Callable[[Settings], Emulator]
LOST = ("push:store-then-cut,nth=1", "push:hide=3s,nth=1")
"""Stored, but the answer is lost and the service is slow to show it."""


class Marring:
    """A provider whose wire damages the items of certain instances, so that the service refuses them."""

    def __init__(self, provider: Provider, bad: str) -> None:
        self._provider, self._bad = provider, bad

    def __getattr__(self, name: str) -> object:
        return getattr(self._provider, name)

    def send(self, operations: Sequence[Operation]) -> object:
        marred = [
            item._replace(payload=item.payload.replace("resource_type", "resource_tipe"))
            if item.address.key == self._bad
            else item
            for item in operations
        ]
        return self._provider.send(marred)


def known(it: Harness) -> Behaviour:
    with closing(it.ledger()) as ledger:
        return ledger.behaviour(it.targets()["aom"])


def learnt(start: Start, path: Path, mode: str) -> Harness:
    """A harness whose ledger knows whether the service merges, from an update."""
    it = start_harness(start, path, Settings(on_repeat=mode))
    it.apply([alarm("a")])
    it.apply([alarm("a", message="slower")])
    return it


@pytest.mark.parametrize("mode", ["merge", "duplicate"])
def test_an_update_teaches_whether_the_service_merges(start_emulator: Start, tmp_path: Path, mode: str) -> None:
    it = learnt(start_emulator, tmp_path, mode)
    assert known(it) == Behaviour(merges=mode == "merge")
    it.project = "elsewhere"
    assert known(it) == Behaviour(), "another target is another service"


@pytest.mark.parametrize(("mode", "waits"), [("merge", False), ("duplicate", True)])
def test_after_a_lost_answer_an_alarm_goes_on_at_once_where_pushes_are_merged(
    start_emulator: Start, tmp_path: Path, mode: str, waits: bool
) -> None:
    it = learnt(start_emulator, tmp_path, mode)
    it.emulator.forget_requests()
    it.emulator.fault("push:cut,nth=1")
    before = it.clock.waited
    result = it.apply([alarm("a", message="slower"), alarm("b")])
    assert (result.remaining, result.possible_duplicates, it.pushes()) == ((), frozenset(), [1, 1])
    assert (it.clock.waited - before >= 10 * SECOND) == waits
    assert (
        any("may have taken 1 alarm: waiting for the effect until 2027-" in note for note in it.watcher.notes) == waits
    )


def test_after_a_lost_answer_a_clear_goes_on_at_once(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    it.apply([alarm("a")])
    it.emulator.fault("clear:cut,nth=1")
    before = it.clock.waited
    assert it.apply([]).remaining == ()
    assert it.active() == []
    assert it.clock.waited - before <= SECOND


def test_an_event_is_waited_for_beside_an_alarm_that_is_not(start_emulator: Start, tmp_path: Path) -> None:
    it = learnt(start_emulator, tmp_path, "merge")
    it.emulator.fault(*LOST)
    result = it.apply([alarm("a", message="slower"), alarm("b"), event()])
    assert (result.remaining, it.recorded()) == ((), [("aom_event.released", "v1")])
    assert it.active() == ["aom_alarm.a", "aom_alarm.b"]
    assert it.pushes()[-1] == 1, "the alarm alone is pushed again"


@pytest.mark.parametrize("verify", [True, False])
def test_a_service_that_merges_no_more_is_found_out_and_put_right(
    start_emulator: Start, tmp_path: Path, verify: bool
) -> None:
    it = learnt(start_emulator, tmp_path, "merge")
    it.emulator.switch(on_repeat="duplicate")
    it.options = it.options._replace(verify=verify)
    it.emulator.fault(*LOST)
    declared = [alarm("a", message="slower"), alarm("b")]
    first = it.apply(declared)
    it.clock.time += MINUTE
    assert it.active() == ["aom_alarm.a", "aom_alarm.b", "aom_alarm.b"]
    if verify:
        assert [key for key, outcome in first.outcomes.items() if outcome.status is Status.DONE] == list(
            first.possible_duplicates
        )
        assert known(it).merges is False
    second = it.apply(declared)
    assert (second.remaining, second.possible_duplicates) == ((), frozenset())
    assert it.active() == ["aom_alarm.a", "aom_alarm.b"]
    assert known(it).merges is False
    told = "aom now opens a second alarm when one is pushed again"
    assert it.watcher.notes.count(told) == 1
    assert it.apply(declared).plan.pending == ()


def test_a_service_that_comes_to_merge_is_noticed_too(start_emulator: Start, tmp_path: Path) -> None:
    it = learnt(start_emulator, tmp_path, "duplicate")
    it.emulator.switch(on_repeat="merge")
    it.apply([alarm("a", message="slowest")])
    assert (known(it).merges, it.active()) == (True, ["aom_alarm.a"])


@pytest.mark.parametrize("on_bad", ["reject-batch", "reject-event"])
def test_a_rejected_batch_teaches_whether_its_valid_items_are_stored(
    start_emulator: Start, tmp_path: Path, on_bad: str
) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(on_bad_event=on_bad))
    it.wrap_provider = lambda provider: Marring(provider, "bad")
    it.apply([alarm("a", "bad"), *(event(f"e{number}") for number in range(3))])
    assert known(it).rejects_whole is (on_bad == "reject-batch")
    it.emulator.forget_requests()
    before = it.clock.waited
    it.apply([*(event(f"e{number}") for number in range(3)), *(alarm("b", each) for each in ("bad", "1", "2", "3"))])
    assert it.active() == ['aom_alarm.b["1"]', 'aom_alarm.b["2"]', 'aom_alarm.b["3"]']
    operations = [entry["operation"] for entry in it.emulator.requests()]
    looked = "query" in operations[operations.index("push") : len(operations) - operations[::-1].index("push")]
    assert looked == (on_bad == "reject-event")
    assert it.clock.waited == before


def test_a_service_that_stores_valid_items_after_all_is_found_out_and_put_right(
    start_emulator: Start, tmp_path: Path
) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(on_repeat="duplicate"))
    it.wrap_provider = lambda provider: Marring(provider, "bad")
    events = [event(f"e{number}") for number in range(3)]
    it.apply([alarm("a", "bad"), *events])
    assert known(it).rejects_whole is True
    it.emulator.switch(on_bad_event="reject-event")
    it.emulator.fault("push:hide=3s,nth=1")
    declared = [*events, event("e3"), event("e4"), *(alarm("b", each) for each in ("bad", "1", "2", "3"))]
    first = it.apply(declared)
    it.clock.time += MINUTE
    assert len(it.recorded()) == len(set(it.recorded())) == 5, "events are waited for, whatever was learnt"
    fired = it.active()
    assert sum(fired.count(each) > 1 for each in set(fired)) == len(first.possible_duplicates) > 0
    assert known(it) == Behaviour(merges=False, rejects_whole=False)
    assert len(it.apply(declared).remaining) == 1
    assert it.active() == ['aom_alarm.b["1"]', 'aom_alarm.b["2"]', 'aom_alarm.b["3"]']


def test_an_update_of_an_alarm_that_fires_twice_is_not_merged_into_the_one_that_is_cleared(
    start_emulator: Start, tmp_path: Path
) -> None:
    """The service merges from now on: it may merge the push into either of the two."""
    it = start_harness(start_emulator, tmp_path, Settings(on_repeat="duplicate"))
    it.apply([alarm("a")])
    [item] = it.items()
    it.edit_by_hand(item, message="slow")
    assert it.active() == ["aom_alarm.a", "aom_alarm.a"]
    it.emulator.switch(on_repeat="merge")
    assert it.apply([alarm("a", message="slower")]).remaining == ()
    [stays] = [item for item in it.items() if item["active"]]
    assert stays["annotations"]["message"] == "slower"
