"""The model of what users rely on, for alerts and silences: the next apply brings the servers to what is declared.

Random configurations, faults, passing time, restarts, hands that clear, and crashes at any step drive the real applier,
ledger and provider against an emulated Alertmanager, alone or as a cluster of two.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import requests
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from reconciler.apply.verify import DeniedError
from reconciler.core.desired import Desired, Kind
from reconciler.core.duration import MINUTE, SECOND
from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from reconciler.providers.protocol import ServiceError
from tests.apply.harness import FakeClock
from tests.emulator.handle import Emulator
from tests.memory_directory import MEMORY
from tests.providers.alertmanager.harness import AlertmanagerHarness
from tests.providers.alertmanager.objects import desired as alert
from tests.providers.alertmanager.test_silence import silence

FAULTS = [
    *(f"am-push:{fault},nth=1" for fault in ("store-then-500", "store-then-cut", "cut", "status=503", "status=401")),
    *(f"am-silence-put:{fault},nth=1" for fault in ("store-then-500", "store-then-cut", "cut", "status=503")),
    *(f"am-silence-expire:{fault},nth=1" for fault in ("store-then-cut", "cut", "status=500")),
    "am-push@1:cut,first=3",
    "am-push:status=503,first=8",
    "am-query:cut,nth=2",
    "am-silence-list:status=500,nth=2",
]
WATCHED = ("send", "record_intents", "begin_attempts", "record_outcomes", "confirm", "begin", "end", "read_back")
ALERTS = st.builds(
    lambda name, severity, summary, timeout, firing: alert(
        name, labels={"severity": severity}, annotations={"summary": summary}, timeout=timeout
    )._replace(firing=firing),
    st.sampled_from("abcd"),
    st.sampled_from(["critical", "warning"]),
    st.sampled_from(["one", "two"]),
    st.sampled_from(["30m", "1h"]),
    st.sampled_from([True, True, False]),
)
SILENCES = st.builds(
    lambda name, team, comment, duration: silence(name, matchers=[f"team={team}"], comment=comment, duration=duration),
    st.sampled_from("xyz"),
    st.sampled_from(["shop", "ops"]),
    st.sampled_from(["one", "two"]),
    st.sampled_from(["30m", "1h"]),
)
STACKS = st.lists(st.one_of(ALERTS, SILENCES), max_size=6).map(
    lambda items: list({item.address: item for item in items}.values())
)


class Crash(BaseException):
    """The process is gone."""


class Fragile:
    """Passes every call on, and crashes before or after a chosen one."""

    def __init__(self, real: object, burn: Callable[[], None]) -> None:
        self._real, self._burn = real, burn

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._real, name)
        if name not in WATCHED:
            return attribute

        def call(*arguments: object, **more: object) -> object:
            self._burn()
            answer = attribute(*arguments, **more)
            self._burn()
            return answer

        return call


class ExactlyOnceAlertmanager(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.resources = ExitStack()
        self.fuse = 0
        self.desired: list[Desired] = []

    @initialize(
        peers=st.sampled_from([1, 2]),
        batch_size=st.sampled_from([1, 2, 100]),
        version=st.sampled_from(["0.25.0", "0.32.0"]),
        marks=st.sampled_from(["labels", "annotations"]),
    )
    def open(self, peers: int, batch_size: int, version: Any, marks: str) -> None:
        self.clock = FakeClock()
        played = Settings(clock=self.clock.service, alertmanager_peers=peers, alertmanager_version=version)
        self.emulator = Emulator(self.resources.enter_context(running(played)))
        directory = Path(self.resources.enter_context(tempfile.TemporaryDirectory(dir=MEMORY)))
        settings_ = {"batch_size": batch_size, "marks": marks}
        self.harness = AlertmanagerHarness(
            self.emulator, self.clock, directory / "ledger.db", settings=settings_, peers=peers
        )
        self.harness.wrap_provider = self.harness.wrap_ledger = lambda real: Fragile(real, self._burn)
        self.neighbour = AlertmanagerHarness(
            self.emulator, self.clock, directory / "other.db", stack="other", peers=peers
        )
        self._settle_neighbour()

    def _settle_neighbour(self) -> None:
        """Another stack and somebody without marks, both with equal silences, and alerts with the very same labels."""
        self.neighbour.apply(
            [alert("a", labels={"severity": "critical"}, timeout="365d"), silence("x", duration="365d")]
        )
        foreign = {"labels": {"alertname": "foreign"}, "annotations": {"by": "hand"}, "endsAt": "2099-01-01T00:00:00Z"}
        for url in self.harness.urls:
            requests.post(f"{url}/api/v2/alerts", json=[foreign], timeout=10).raise_for_status()
        self.others = [self._others(peer) for peer in range(self.harness.peers)]

    def _burn(self) -> None:
        if self.fuse > 0:
            self.fuse -= 1
            if self.fuse == 0:
                raise Crash

    @rule(desired=STACKS, faults=st.lists(st.sampled_from(FAULTS), max_size=2, unique=True))
    def apply_amid_faults(self, desired: list[Desired], faults: list[str]) -> None:
        self.desired = desired
        self.emulator.fault(*faults)
        self._try()
        self.emulator.clear_faults()  # the invariants query the servers too

    @rule(desired=STACKS, step=st.integers(1, 25))
    def apply_and_crash(self, desired: list[Desired], step: int) -> None:
        self.desired = desired
        self.fuse = step
        self._try()
        self.fuse = 0

    @rule(time=st.sampled_from([SECOND, 20 * SECOND, 2 * MINUTE, 29 * MINUTE, 61 * MINUTE]))
    def wait(self, time: int) -> None:
        self.clock.time += time

    @rule(peer=st.integers(1, 2), kill=st.booleans())
    def an_instance_restarts(self, peer: int, kill: bool) -> None:
        body = {"peer": min(peer, self.harness.peers), "kill": kill}
        requests.post(f"{self.emulator.url}/admin/alertmanager/restart", json=body, timeout=10).raise_for_status()
        self._settle_neighbour()

    @rule(which=st.integers(0, 5))
    def someone_clears_an_alert(self, which: int) -> None:
        active = self._mine(0)  # what is drawn must not depend on it: threads interleave
        if not active:
            return
        item = active[which % len(active)]
        ended = {"labels": item["labels"], "startsAt": item["startsAt"], "endsAt": item["startsAt"]}
        for url in self.harness.urls:
            requests.post(f"{url}/api/v2/alerts", json=[ended], timeout=10).raise_for_status()

    @rule()
    def recover(self) -> None:
        """One more apply, with nothing in its way: each is there once, at every instance, and nothing else is."""
        self.clock.time += 5 * SECOND
        assert self.harness.apply(self.desired).remaining == ()
        wanted = [item for item in self.desired if item.firing]
        for peer in range(self.harness.peers):
            assert self._shown(peer) == Counter(str(item.address) for item in wanted)
        alerts = {str(item.address): item for item in wanted if item.kind is Kind.ALARM}
        for shown in self._mine(0):
            item = alerts[self._owner(shown)["reconciler_address"]]
            assert item.identity.items() <= shown["labels"].items()
            assert item.attributes["annotations"].items() <= shown["annotations"].items()  # type: ignore[attr-defined]
        with closing(self.harness.ledger()) as ledger:
            assert ledger.open_intents() == []
        self.emulator.forget_requests()
        assert self.harness.apply(self.desired).plan.pending == ()
        assert {request["method"] for request in self.emulator.requests()} == {"GET"}

    @invariant()
    def nothing_is_there_twice(self) -> None:
        for peer in range(self.harness.peers if hasattr(self, "harness") else 0):
            assert set(self._shown(peer).values()) <= {1}

    @invariant()
    def what_belongs_to_others_is_never_touched(self) -> None:
        for peer in range(self.harness.peers if hasattr(self, "harness") else 0):
            assert self._others(peer) == self.others[peer]

    def teardown(self) -> None:
        try:
            if hasattr(self, "harness"):
                self.recover()
        finally:
            self.resources.close()

    def _try(self) -> None:
        with suppress(Crash, ServiceError, DeniedError):
            self.harness.apply(self.desired)

    def _shown(self, peer: int) -> Counter[str]:
        """How often each address of the stack is active at an instance."""
        places = [self._owner(item)["reconciler_address"] for item in self._mine(peer)]
        silences = [item for item in self.harness.silences(peer) if '"reconciler_stack":"demo"' in _told(item)]
        return Counter([*places, *(_told(item).split('"reconciler_address":"')[1].split('"')[0] for item in silences)])

    def _mine(self, peer: int) -> list[dict[str, Any]]:
        return [item for item in self.harness.alerts(peer) if self._owner(item).get("reconciler_stack") == "demo"]

    def _owner(self, item: dict[str, Any]) -> dict[str, str]:
        return {**item["annotations"], **item["labels"]}

    def _others(self, peer: int) -> list[Any]:
        """What the other stack and nobody own, as an instance shows it."""
        alerts = [item for item in self.harness.alerts(peer) if self._owner(item).get("reconciler_stack") != "demo"]
        silences = [item for item in self.harness.silences(peer) if '"reconciler_stack":"demo"' not in _told(item)]
        return [
            sorted((item["fingerprint"], item["annotations"], item["endsAt"]) for item in alerts),
            sorted((item["id"], item["endsAt"]) for item in silences),
        ]


def _told(silence: dict[str, Any]) -> str:
    """The marks of a silence, wherever they are."""
    told = silence.get("annotations")
    pairs = "".join(f'"{name}":"{value}",' for name, value in told.items()) if told else ""
    return f"{silence['comment']} {pairs}"


ExactlyOnceAlertmanager.TestCase.settings = settings(
    max_examples=10,
    stateful_step_count=10,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestExactlyOnceAlertmanager = ExactlyOnceAlertmanager.TestCase
