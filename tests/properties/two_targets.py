"""Runs at two targets that share one ledger, and what interferes: crashes at any call, requests that come late."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from reconciler.apply.verify import DeniedError
from reconciler.core.address import Address
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.duration import MINUTE, SECOND
from reconciler.core.operation import Operation, Status, Verb
from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from reconciler.ledger.lease import BootTime
from reconciler.ledger.location import Location
from reconciler.ledger.protocol import LeaseLostError, Ledger
from reconciler.plan.plan import Plan
from reconciler.plan.saved import parse_plan
from reconciler.providers.protocol import ServiceError
from tests.apply.harness import FakeClock, Harness, RefusedError
from tests.emulator.handle import Emulator
from tests.memory_directory import MEMORY
from tests.plan.fake_service import alarm

WATCHED = ("send", "record_intents", "begin_attempts", "record_outcomes", "confirm", "begin", "end", "read_back")


UNLOCKED = ("send", "begin_attempts", "read_back")
"""The calls during which a run keeps nobody else from the ledger."""


class Crash(BaseException):
    """The process is gone."""


@dataclass
class Fuse:
    """What happens at a call of a run: after how many calls of which names."""

    left: int = 0
    names: tuple[str, ...] = WATCHED
    burn: Callable[[], None] = lambda: None

    def step(self, name: str) -> None:
        if self.left > 0 and name in self.names:
            self.left -= 1
            if self.left == 0:
                self.burn()


class Late:
    """A request on its way: it arrives at an instant, or once its sender is heard again."""

    def __init__(self, request: Callable[[], object]) -> None:
        self._request = request
        self._answer: Callable[[], object] | None = None

    def arrive(self) -> None:
        if self._answer is None:
            try:
                answer = self._request()
            except Exception as error:  # noqa: BLE001 - raised again for the sender
                failed = error
                self._answer = lambda: raise_error(failed)
            else:
                self._answer = lambda: answer

    def request(self) -> object:
        self.arrive()
        assert self._answer is not None
        return self._answer()


class Watched:
    """A provider or a ledger of one run; passes every call on, and lets the model step in."""

    def __init__(self, real: object, model: TwoTargets) -> None:
        self._real, self._model, self._fence = real, model, model.fence

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._real, name)
        if name not in WATCHED:
            return attribute

        def call(*arguments: object, **more: object) -> object:
            if name == "begin_attempts" and arguments[1] == ():  # a look at the lease within another write
                return attribute(*arguments, **more)
            self._model.fuse.step(name)
            if name == "send":
                sent = [self._model.as_sent(item) for item in cast(Sequence[Operation], arguments[0])]
                answer = self._model.send(lambda: attribute(sent), self._fence)
            else:
                answer = attribute(*arguments, **more)
            if name == "begin_attempts" and self._fence == self._model.fence:
                self._model.begun_at = self._model.clock.time
            self._model.fuse.step(name)
            return answer

        return call


def raise_error(error: BaseException) -> None:
    raise error


@dataclass
class Place:
    """One target, and what is declared there."""

    harness: Harness
    desired: list[Desired] = field(default_factory=list)


class TwoTargets(RuleBasedStateMachine):
    """The real applier, ledger and provider against an emulator; rules are those of a model that inherits."""

    def __init__(self) -> None:
        super().__init__()
        self.resources = ExitStack()
        self.fuse = Fuse()
        self.fence = 0
        self.damaged: Address | None = None
        self.on_the_way: Callable[[], None] | None = None
        self.begun_late: list[str] = []
        self.begun_at = 0
        self.pruned = False
        self.places: list[Place] = []
        self.open_store: Callable[[Callable[[], BootTime]], Ledger] | None = None
        self.shared: Location | None = None

    @initialize(
        on_repeat=st.sampled_from(["merge", "duplicate"]),
        on_bad=st.sampled_from(["reject-batch", "reject-event"]),
        timeout_from=st.sampled_from(["start", "arrival"]),
        texts=st.sampled_from(["keep", "escape"]),
        visible_after=st.sampled_from([0, 2 * SECOND]),
        batch_size=st.sampled_from([1, 2, 100]),
    )
    def open(self, batch_size: int, on_bad: str, texts: str, visible_after: int, **played: Any) -> None:
        self.clock = FakeClock()
        self.shown_text = escape if texts == "escape" else str
        emulated = Settings(
            clock=self.clock.service,
            on_bad_event=on_bad,
            annotation_texts=texts,
            visible_after=visible_after,
            **played,
        )
        emulator = Emulator(self.resources.enter_context(running(emulated)))
        directory = Path(self.resources.enter_context(tempfile.TemporaryDirectory(dir=MEMORY)))
        self.location = self.shared or Location(directory, "ledger")
        for project in ("staging", "production"):
            shared = {"batch_size": batch_size}
            harness = Harness(emulator, self.clock, directory / "ledger.db", project=project, settings=shared)
            harness.wrap_provider = harness.wrap_ledger = lambda real: Watched(real, self)
            harness.open_store = self.open_store
            self.places.append(Place(harness))
        self.neighbour = Harness(emulator, self.clock, directory / "other.db", stack="other", project="staging")
        self.neighbour.apply([alarm(name, timeout="15d") for name in "abcde"])
        self.clock.time += 5 * SECOND
        self.neighbours = self.neighbour.active()

    def as_sent(self, operation: Operation) -> Operation:
        """The operation as the wire carries it."""
        if operation.address != self.damaged:
            return operation
        return operation._replace(payload=operation.payload.replace("resource_type", "resource_tipe"))

    def send(self, request: Callable[[], object], fence: int) -> object:
        """Pass a request on; something may happen while it is on its way."""
        if fence < self.fence:
            return self._send_late(request, fence)
        happening, self.on_the_way = self.on_the_way, None
        if happening is None:
            return request()
        late = Late(request)
        self.clock.call_at(self.clock.time + 3 * SECOND, late.arrive)
        happening()
        return late.request()

    def _send_late(self, request: Callable[[], object], fence: int) -> object:
        """What was begun just before the fence moved may still leave; nothing that was begun longer ago."""
        emulator = self.places[0].harness.emulator
        before, began = len(emulator.requests()), self.begun_at
        try:
            return request()
        finally:
            if len(emulator.requests()) > before and self.clock.time - began > SECOND:
                self.begun_late.append(f"the run with fence {fence} sent after {self.fence} was given out")

    def _known(self, plan: Plan | None) -> tuple[Mapping[str, Status], *tuple[object, ...]]:
        """What plans of both targets are made from, and what is known of a plan that could still be applied."""
        firing = [
            item["annotations"]["reconciler_key"]
            for place in self.places
            for item in place.harness.items()
            if item["active"]
        ]
        with closing(self.places[0].harness.ledger()) as ledger:
            views = [ledger.view(self.clock.now(), 10 * SECOND, place.harness.targets()) for place in self.places]
            operations = [*plan.operations] if plan else []
            planned = [item.key for item in operations] if any(map(self._could_be_sent, operations)) else []
            learnt = [ledger.behaviour(target) for place in self.places for target in place.harness.targets().values()]
            return ledger.statuses([*firing, *planned]), views, ledger.shown(firing), ledger.open_intents(), learnt

    def _could_be_sent(self, operation: Operation) -> bool:
        """Whether its plan could still be applied: one that only clears is stale, or in effect, once it was."""
        if operation.send_by is None:
            return operation.verb is Verb.PUSH and operation.occurrence is None
        return operation.send_by > self.clock.now()

    def teardown(self) -> None:
        self.resources.close()

    def _pass_expiries(self, harness: Harness) -> None:
        """Let time pass until no alarm is about to expire: it would between the apply and the look at it."""
        near = MINUTE
        while any(
            item["active"] and 0 <= item[begin] + item["timeout"] - self.clock.time <= near
            for item in harness.items()
            for begin in ("starts_at", "arrives_at")
        ):
            self.clock.time += near + 1

    def _the_ledger_agrees(self, harness: Harness, facts: set[tuple[str, str | None]]) -> None:
        """What is at the service was sent under a key of the ledger, and its outcome is known.

        An event, and an alarm that fires, is done. Only an alarm that ended may be called failed: it did not show when
        it was settled, another push took its place, and it was cleared once it showed, or refreshed.
        """
        with closing(harness.ledger()) as ledger:
            here = [entry for entry in ledger.open_intents() if entry.target in harness.targets().values()]
            for entry in here:  # what is not declared any more is not waited for
                assert entry.operation.occurrence is not None
                assert (str(entry.operation.address), entry.operation.occurrence) not in facts
            items = harness.items()
            waiting = {entry.operation.key for entry in here}
            keys = [item["annotations"]["reconciler_key"] for item in items]
            statuses = ledger.statuses(keys)
            for key, item in zip(keys, items, strict=True):
                if item["metadata"]["event_type"] == "event" or item["active"]:
                    assert statuses.get(key) is Status.DONE or key in waiting
                else:
                    assert statuses.get(key) in (Status.DONE, Status.FAILED, *([None] if self.pruned else []))
            view = ledger.view(self.clock.now(), 0, harness.targets())
            assert {(str(address), occurrence) for address, occurrence in view.recorded} <= set(harness.recorded())

    def _declare(self, at: int, desired: list[Desired]) -> Place:
        self.places[at].desired = desired
        return self.places[at]

    def _try(self, place: Place) -> None:
        """An apply that may go wrong in every way a user meets; what it leaves behind is the next one's to mend."""
        with suppress(Crash, ServiceError, DeniedError, LeaseLostError):
            place.harness.apply(place.desired)

    def _plan(self, place: Place) -> Plan | None:
        harness = place.harness
        with suppress(ServiceError), closing(harness.ledger()) as ledger, closing(harness.provider()) as provider:
            return harness.plan(place.desired, ledger, provider)
        return None

    def _sent_by(self, place: Place, text: str | None) -> set[str]:
        """The payloads that are sent when a plan file is applied."""
        if text is None:
            return set()
        harness = place.harness
        harness.emulator.forget_requests()
        with suppress(DiagnosticError, RefusedError, ServiceError, DeniedError):
            harness.apply(place.desired, plan=parse_plan(text, "plan.json"), is_checked=True)
        bodies = [*harness.emulator.bodies("push"), *harness.emulator.bodies("clear")]
        return {
            json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            for body in bodies
            for event in body["events"]
        }

    def _active_alarm(self, which: int) -> tuple[Harness, dict[str, Any]] | None:
        """One of the active alarms, if there is one; ``which`` counts them round and round.

        What is drawn must not depend on what is there: that may depend on how threads interleaved.
        """
        active = [(place.harness, item) for place in self.places for item in place.harness.items() if item["active"]]
        return active[which % len(active)] if active else None
