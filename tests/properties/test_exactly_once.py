"""A model of what users rely on: however runs end, the next apply brings the service to what is declared, exactly once.

Random configurations, faults, items that are refused, passing time, hands that clear and edit alarms, a service that
comes to behave otherwise than was learnt, leases that break or lapse while their holder lives, clocks that are set,
tampered plans, and crashes at any step drive the real applier, ledger and provider against the emulator over HTTP, at
two targets that share one ledger.
"""

from __future__ import annotations

import json
from contextlib import closing, suppress
from threading import Event
from typing import Any

import requests
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from reconciler.apply.lease import LIFETIME, leased
from reconciler.core.desired import Desired, Kind
from reconciler.core.duration import DAY, HOUR, MINUTE, SECOND
from reconciler.core.operation import Status
from reconciler.ledger.pruning import prune_ledger
from reconciler.ledger.retention import Limit
from reconciler.plan.saved import dump_plan
from tests.apply.harness import OWNER
from tests.plan.fake_service import alarm
from tests.plan.tampering import leaves, other_values, similar_values, value_at, with_value
from tests.plan.test_laws import STACKS
from tests.properties.two_targets import UNLOCKED, Crash, Fuse, TwoTargets, raise_error

FAULTS = [
    "push:store-then-500,nth=1",
    "push:store-then-cut,nth=1",
    "push:cut,nth=1",
    "push:status=500,nth=1",
    "push:status=429,retry_after=2,nth=1",
    "push:status=503,first=2",
    "push:status=401,nth=1",
    "clear:store-then-500,nth=1",
    "clear:store-then-cut,nth=1",
    "clear:cut,nth=1",
    "clear:status=503,first=8",
    "query:status=500,nth=2",
    "query:cut,nth=1",
    "push:hide=3s,nth=1",
    "clear:hide=3s,nth=1",
]
EDITED = "edited by hand"
WINDOW = 16 * SECOND
"""How long after it was begun an event may come to show: until its request leaves, arrives and shows."""
TARGETS = st.sampled_from([0, 0, 1])
ANY = st.integers(0, 9_999)
"""Which of those that are there, counted round and round."""


class ExactlyOnce(TwoTargets):
    @rule(
        at=TARGETS,
        desired=STACKS,
        faults=st.lists(st.sampled_from(FAULTS), max_size=2, unique=True),
        verify=st.booleans(),
    )
    def apply_amid_faults(self, at: int, desired: list[Desired], faults: list[str], verify: bool) -> None:
        place = self._declare(at, desired)
        place.harness.options = place.harness.options._replace(verify=verify)
        place.harness.emulator.fault(*faults)
        self._try(place)

    @rule(at=TARGETS, desired=STACKS, which=st.integers(0, 7), faults=st.lists(st.sampled_from(FAULTS), max_size=1))
    def apply_with_an_item_that_is_refused(
        self, at: int, desired: list[Desired], which: int, faults: list[str]
    ) -> None:
        """The wire damages one of the items, as a bug of the service's own reading would."""
        place = self._declare(at, desired)
        self.damaged = desired[which % len(desired)].address if desired else None
        place.harness.emulator.fault(*faults)
        self._try(place)
        self.damaged = None

    @rule(at=TARGETS, desired=STACKS, step=st.integers(1, 25), mended_at_once=st.booleans())
    def apply_and_crash(self, at: int, desired: list[Desired], step: int, mended_at_once: bool) -> None:
        place = self._declare(at, desired)
        self.fuse = Fuse(step, burn=lambda: raise_error(Crash()))
        self._try(place)
        self.fuse = Fuse()
        if mended_at_once:
            self.recover(at)

    def sleep_too_long(self) -> None:
        """Let time pass until the lease has lapsed."""
        self.clock.time += LIFETIME + 1

    @rule(
        at=TARGETS,
        desired=STACKS,
        step=st.sampled_from([1, 2, 3, 5]),
        how=st.sampled_from(["unlock", "lapse", "unlock in a request"]),
        then=TARGETS,
        verify=st.booleans(),
    )
    def lose_the_lease_to_another_run(
        self, at: int, desired: list[Desired], step: int, how: str, then: int, verify: bool
    ) -> None:
        """Somebody breaks the lease of a living run, or it sleeps too long; another run goes on at once."""
        place = self._declare(at, desired)
        place.harness.options = place.harness.options._replace(verify=verify)

        def take_over() -> None:
            self.fence += 1
            if how == "lapse":
                self.sleep_too_long()
            else:
                with closing(place.harness.ledger()) as ledger:
                    ledger.unlock()
            self._try(self.places[then])

        def in_the_next_request() -> None:
            self.on_the_way = take_over

        if how == "unlock in a request":
            self.fuse = Fuse(step, ("send",), in_the_next_request)
        else:
            self.fuse = Fuse(step, ("begin_attempts",) if how == "lapse" else UNLOCKED, take_over)
        self._try(place)
        self.fuse, self.on_the_way = Fuse(), None

    @rule(
        at=TARGETS,
        desired=STACKS,
        step=st.integers(1, 8),
        by=st.sampled_from([-2 * HOUR, -2 * MINUTE, 2 * MINUTE, 2 * HOUR]),
        verify=st.booleans(),
    )
    def apply_while_the_clock_is_set(self, at: int, desired: list[Desired], step: int, by: int, verify: bool) -> None:
        """The wall clock is set during a run, and put right after it.

        Not before it has planned: a service may hide an alarm that begins in the future until then.
        """
        place = self._declare(at, desired)
        place.harness.options = place.harness.options._replace(verify=verify)
        waited = self.clock.waited

        def step_clock() -> None:
            self.clock.skew = by

        self.fuse = Fuse(step, ("begin", "send", "begin_attempts", "end"), step_clock)
        self._try(place)
        self.fuse, self.clock.skew = Fuse(), 0
        assert self.clock.waited - waited < 10 * MINUTE

    @rule(at=TARGETS, desired=STACKS, leaf=ANY, other=ANY)
    def apply_a_tampered_plan(self, at: int, desired: list[Desired], leaf: int, other: int) -> None:
        """A saved plan with one leaf changed is refused, or does what the plan does; twice is once."""
        place = self._declare(at, desired)
        plan = self._plan(place)
        if plan is None or plan.problems or not plan.pending:
            return
        document = json.loads(dump_plan(plan, "1"))
        paths = list(leaves(document))
        path = paths[leaf % len(paths)]
        others = list(other_values(value_at(document, path), similar_values(document)[path[-1]]))
        text = with_value(document, path, others[other % len(others)])
        planned = {operation.payload for operation in plan.operations}
        assert self._sent_by(place, text) <= planned
        assert self._sent_by(place, dump_plan(plan, "1")) <= planned

    @rule(
        at=TARGETS,
        desired=STACKS,
        days=st.sampled_from([0, 2, 40]),
        older_than=st.sampled_from([DAY, 60 * DAY]),
    )
    def prune(self, at: int, desired: list[Desired], days: int, older_than: int) -> None:
        """Pruning changes nothing that a plan is made from, and lets no saved plan do again what it has done."""
        place = self._declare(at, desired)
        plan = self._plan(place)
        text = None if plan is None or plan.problems else dump_plan(plan, "1")
        self._sent_by(place, text)
        if days:
            self.clock.time += days * DAY
            self.neighbour.apply([alarm(name, timeout="15d") for name in "abcde"])
            self.clock.time += 5 * SECOND
        limit = Limit(self.clock.now(), older_than)
        before = self._known(plan)
        with closing(place.harness.ledger()) as ledger, leased(ledger, OWNER, self.clock, Event()) as holder:
            prune_ledger(self.location, holder, ledger, limit)
        assert self._known(plan) == before
        self.pruned |= days == 40
        done = {item.payload for item in plan.operations if before[0].get(item.key) is Status.DONE} if plan else set()
        assert not self._sent_by(place, text) & done

    @rule(
        on_repeat=st.sampled_from(["merge", "duplicate"]),
        on_bad_event=st.sampled_from(["reject-batch", "reject-event"]),
    )
    def the_service_comes_to_behave_otherwise(self, on_repeat: str, on_bad_event: str) -> None:
        """What the ledger has learnt of it holds no longer."""
        self.places[0].harness.emulator.switch(on_repeat=on_repeat, on_bad_event=on_bad_event)

    @rule(at=TARGETS)
    def apply_again(self, at: int) -> None:
        self._try(self.places[at])

    @rule(time=st.sampled_from([SECOND, 20 * SECOND, 2 * MINUTE, 29 * MINUTE, 61 * MINUTE]))
    def wait(self, time: int) -> None:
        self.clock.time += time

    @rule(which=ANY)
    def someone_clears_an_alarm(self, which: int) -> None:
        if (found := self._active_alarm(which)) is None:
            return
        harness, item = found
        event = {"id": item["id"], "ends_at": self.clock.time, "metadata": item["metadata"]}
        url = f"{harness.emulator.url}/v2/{harness.project}/push/events?action=clear"
        with suppress(requests.RequestException):  # an armed fault may meet this request too
            requests.put(url, json={"events": [event]}, headers={"X-Auth-Token": "someone"}, timeout=10)

    @rule(which=ANY)
    def someone_edits_an_alarm(self, which: int) -> None:
        """Its content changes, its marks stay; where pushes are not merged, a copy of it fires beside it."""
        if (found := self._active_alarm(which)) is None:
            return
        harness, item = found
        with suppress(requests.RequestException):
            harness.edit_by_hand(item, message=EDITED)

    @rule(at=TARGETS)
    def recover(self, at: int) -> None:
        """One more apply, with nothing in its way."""
        place = self.places[at]
        harness, desired = place.harness, place.desired
        harness.emulator.clear_faults()
        harness.options = harness.options._replace(verify=True)
        self._pass_expiries(harness)
        self.clock.time += 5 * SECOND
        assert harness.apply(desired).remaining == ()
        self.clock.time += 5 * SECOND
        firing = {str(item.address): item for item in desired if item.kind is Kind.ALARM and item.firing}
        assert harness.active() == sorted(firing)
        for item in harness.items():
            if item["active"]:
                wanted: Any = firing[item["metadata"]["reconciler_address"]]
                assert item["metadata"]["event_severity"] == wanted.identity["event_severity"]
                assert item["annotations"]["message"] == self.shown_text(wanted.attributes["annotations"]["message"])
        facts = {(str(item.address), item.occurrence) for item in desired if item.kind is Kind.EVENT}
        assert facts <= set(harness.recorded())
        self._the_ledger_agrees(harness, facts)
        assert harness.apply(desired).plan.pending == ()
        self.clock.time += WINDOW
        assert harness.apply(desired).plan.pending == ()
        with closing(harness.ledger()) as ledger:
            assert [entry for entry in ledger.open_intents() if entry.target in harness.targets().values()] == []

    @invariant()
    def every_event_is_recorded_at_most_once(self) -> None:
        alarms = self.neighbour.emulator.alarms()
        for place in self.places:
            recorded = place.harness.recorded(alarms)
            assert len(recorded) == len(set(recorded))

    @invariant()
    def no_foreign_alarm_is_touched(self) -> None:
        assert self.neighbour.active() == self.neighbours

    @invariant()
    def nothing_is_begun_after_the_fence_has_moved(self) -> None:
        assert self.begun_late == []


ExactlyOnce.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestExactlyOnce = ExactlyOnce.TestCase
