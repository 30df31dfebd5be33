"""A model of what users rely on: however runs end, the next apply brings the service to what is declared, exactly once.

Random configurations, faults, passing time, hands that clear alarms, and crashes at any step drive the real applier,
ledger and provider against the emulator over HTTP.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reconciler.apply.verify import DeniedError
from reconciler.core.desired import Desired, Kind
from reconciler.core.duration import MINUTE, SECOND
from reconciler.core.operation import Status
from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from reconciler.providers.protocol import ServiceError
from tests.apply.harness import FakeClock, Rig
from tests.emulator.handle import Emulator
from tests.plan.fake_service import alarm
from tests.plan.test_laws import STACKS

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
WATCHED = ("send", "record_intents", "begin_attempts", "record_outcomes", "confirm", "begin", "end", "read_back")


class Crash(BaseException):
    """The process is gone."""


class Fragile:
    """Passes every call on, and crashes before or after the one it is told to."""

    def __init__(self, real: object, fuse: Callable[[], None]) -> None:
        self._real, self._fuse = real, fuse

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._real, name)
        if name not in WATCHED:
            return attribute

        def call(*arguments: object, **more: object) -> object:
            self._fuse()
            answer = attribute(*arguments, **more)
            self._fuse()
            return answer

        return call


class ExactlyOnce(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.resources = ExitStack()
        self.fuse = 0
        self.desired: list[Desired] = []

    @initialize(
        on_repeat=st.sampled_from(["merge", "duplicate"]),
        on_bad=st.sampled_from(["reject-batch", "reject-event"]),
        timeout_from=st.sampled_from(["start", "arrival"]),
        visible_after=st.sampled_from([0, 2 * SECOND]),
        batch_size=st.sampled_from([1, 2, 100]),
    )
    def open(self, batch_size: int, on_bad: str, visible_after: int, **played: Any) -> None:
        clock = FakeClock()
        emulated = Settings(clock=clock.now, on_bad_event=on_bad, visible_after=visible_after, **played)
        emulator = Emulator(self.resources.enter_context(running(emulated)))
        directory = Path(self.resources.enter_context(tempfile.TemporaryDirectory()))
        self.rig = Rig(emulator, clock, directory / "ledger.db", settings={"batch_size": batch_size})
        self.rig.wrap_provider = self.rig.wrap_ledger = lambda real: Fragile(real, self._burn)
        neighbour = Rig(emulator, clock, directory / "other.db", stack="other")
        neighbour.apply([alarm(name, timeout="15d") for name in "abcde"])
        clock.time += 5 * SECOND
        self.neighbours = neighbour.active()
        self.neighbour = neighbour

    def _burn(self) -> None:
        if self.fuse > 0:
            self.fuse -= 1
            if self.fuse == 0:
                raise Crash

    @rule(desired=STACKS, faults=st.lists(st.sampled_from(FAULTS), max_size=2, unique=True), verify=st.booleans())
    def apply_amid_faults(self, desired: list[Desired], faults: list[str], verify: bool) -> None:
        self.desired = desired
        self.rig.options = replace(self.rig.options, verify=verify)
        self.rig.emulator.fault(*faults)
        self._try()

    @rule(desired=STACKS, step=st.integers(1, 25), mended_at_once=st.booleans())
    def apply_and_crash(self, desired: list[Desired], step: int, mended_at_once: bool) -> None:
        self.desired = desired
        self.fuse = step
        self._try()
        self.fuse = 0
        if mended_at_once:
            self.recover()

    @rule()
    def apply_again(self) -> None:
        self._try()

    @rule(time=st.sampled_from([SECOND, 20 * SECOND, 2 * MINUTE, 29 * MINUTE, 61 * MINUTE]))
    def wait(self, time: int) -> None:
        self.rig.clock.time += time

    @precondition(lambda self: self.rig.active())
    @rule(data=st.data())
    def someone_clears_an_alarm(self, data: st.DataObject) -> None:
        mine = [item for item in self.rig.emulator.active_alarms() if self._is_mine(item)]
        item = data.draw(st.sampled_from(mine))
        event = {"id": item["id"], "ends_at": self.rig.clock.now(), "metadata": item["metadata"]}
        url = f"{self.rig.emulator.url}/v2/demo/push/events?action=clear"
        with suppress(requests.RequestException):  # an armed fault may meet this request too
            requests.put(url, json={"events": [event]}, headers={"X-Auth-Token": "someone"}, timeout=10)

    @rule()
    def recover(self) -> None:
        """One more apply, with nothing in its way."""
        self.rig.emulator.clear_faults()
        self.rig.options = replace(self.rig.options, verify=True)
        self.rig.clock.time += 5 * SECOND
        assert self.rig.apply(self.desired).remaining == ()
        self.rig.clock.time += 5 * SECOND
        declared = [item for item in self.desired if item.kind is Kind.ALARM and item.firing]
        assert self.rig.active() == sorted(str(item.address) for item in declared)
        facts = {(str(item.address), item.occurrence) for item in self.desired if item.kind is Kind.EVENT}
        assert facts <= set(self.rig.recorded())
        with closing(self.rig.ledger()) as ledger:
            assert ledger.open_intents() == []
            mine = [item for item in self.rig.emulator.alarms() if self._is_mine(item)]
            # An alarm that did not show when it was settled has been pushed again, by another key.
            events = [item for item in mine if item["metadata"]["event_type"] == "event"]
            there = [item["annotations"]["reconciler_key"] for item in events]
            assert {key: ledger.statuses([key]).get(key) for key in there} == dict.fromkeys(there, Status.DONE)
            assert {(str(a), o) for a, o in ledger.view(0, 0).recorded} <= set(self.rig.recorded())
        assert self.rig.apply(self.desired).plan.pending == ()

    @invariant()
    def every_event_is_recorded_at_most_once(self) -> None:
        assert len(self.rig.recorded()) == len(set(self.rig.recorded()))

    @invariant()
    def no_foreign_alarm_is_touched(self) -> None:
        assert self.neighbour.active() == self.neighbours

    def teardown(self) -> None:
        self.resources.close()

    def _try(self) -> None:
        """An apply that may go wrong in every way a user meets; what it leaves behind is the next one's to mend."""
        with suppress(Crash, ServiceError, DeniedError):
            self.rig.apply(self.desired)

    @staticmethod
    def _is_mine(item: dict[str, Any]) -> bool:
        return bool(item["metadata"].get("reconciler_stack") == "demo")


ExactlyOnce.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestExactlyOnce = ExactlyOnce.TestCase
