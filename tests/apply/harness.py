"""A harness: the real applier, ledger and AOM provider with an emulator, on a clock that moves when somebody waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Lock
from typing import Any

import requests

from reconciler.apply.executor import apply_plan
from reconciler.apply.lease import Owner, leased
from reconciler.apply.options import NullProgress, Options
from reconciler.apply.result import Result
from reconciler.apply.settle import Settlement, resolve_open_intents
from reconciler.core.desired import Desired
from reconciler.core.operation import Operation, Status
from reconciler.core.resource_type import ResourceType
from reconciler.core.target import Target
from reconciler.emulator.settings import Settings
from reconciler.ledger.lease import BootTime
from reconciler.ledger.protocol import Ledger
from reconciler.ledger.sqlite import open_ledger
from reconciler.plan.operations import forgeries
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan
from reconciler.plan.stale import staleness
from reconciler.plan.state import absent_addresses, altered_keys, merge
from reconciler.providers.aom import PROVIDER
from reconciler.providers.protocol import Provider, ProviderContext
from tests.emulator.handle import Emulator
from tests.plan.fake_service import NOW, TYPES

OWNER = Owner("tester", "host", 1)


class RefusedError(Exception):
    """A saved plan was not applied."""


class FakeClock:
    """Time that stands still until somebody waits; ``service`` is what the emulator reads.

    The wall clock of the runs is ``skew`` ms ahead of it, which neither the service nor waits notice.
    """

    def __init__(self) -> None:
        self.time = NOW
        self.waited = 0
        self.skew = 0
        self.set_back_at_next_wait = 0
        self._due: list[tuple[int, Callable[[], None]]] = []
        self._lock = Lock()

    def now(self) -> int:
        return self.time + self.skew

    def service(self) -> int:
        return self.time

    def monotonic(self) -> int:
        return self.time

    def pause(self, milliseconds: int, stop: Event) -> bool:
        with self._lock:
            passed = max(1, milliseconds)
            until = self.time + passed
            self.waited += passed
            self.skew -= self.set_back_at_next_wait
            self.set_back_at_next_wait = 0
        while self._due and self._due[0][0] <= until:
            at, call = self._due.pop(0)
            self.time = max(self.time, at)
            call()
        self.time = max(self.time, until)
        return stop.is_set()

    def call_at(self, at: int, call: Callable[[], None]) -> None:
        """Call something in the wait during which an instant passes."""
        self._due = sorted([*self._due, (at, call)], key=lambda due: due[0])


class Notes(NullProgress):
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def report(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Harness:
    """One stack, one emulator, one ledger file."""

    emulator: Emulator
    clock: FakeClock
    path: Path
    stack: str = "demo"
    project: str = "demo"
    settings: dict[str, object] = field(default_factory=dict)
    wrap_provider: Callable[[Provider], Provider] = lambda provider: provider
    wrap_ledger: Callable[[Ledger], Ledger] = lambda ledger: ledger
    options: Options = field(default_factory=lambda: Options(draw=lambda: 0.5))
    open_store: Callable[[Callable[[], BootTime]], Ledger] | None = None
    """Opens a shared ledger, with the machine's clock, instead of the file."""
    watcher: Notes = field(default_factory=Notes)
    key: str = "aom"
    types: Mapping[str, ResourceType] = field(default_factory=lambda: TYPES)

    def provider(self) -> Provider:
        settings = PROVIDER.settings.model_validate(
            {
                "endpoint": self.emulator.url,
                "project_id": self.project,
                "auth": {"token": "t"},
                "parallelism": 1,
                "visible_within": "10s",
                "request_timeout": "5s",
                **self.settings,
            }
        )
        return self.wrap_provider(PROVIDER.open("aom", settings, ProviderContext("test", self.clock.now)))

    def ledger(self) -> Ledger:
        clock = lambda: BootTime("boot", self.clock.monotonic())  # noqa: E731
        return open_ledger(self.path, clock=clock) if self.open_store is None else self.open_store(clock)

    def plan(self, desired: Sequence[Desired], ledger: Ledger, provider: Provider) -> Plan:
        memory = ledger.view(self.clock.now(), provider.limits.visible_within, self.targets())
        observed = list(provider.observe(self.stack, desired))
        known = merge(self.stack, observed, memory)
        memory = memory._replace(shown=ledger.shown(altered_keys(desired, known)))
        absent = absent_addresses(desired, known)
        history = list(provider.history(self.stack, absent)) if absent else []
        return make_plan(
            self.stack,
            desired,
            observed,
            self.clock.now(),
            types=self.types,
            ledger=memory,
            history=history,
            providers=self.providers(),
            places=self.places(),
        )

    def places(self) -> dict[str, Target]:
        return {self.key: Target(self.key, self.emulator.url, self.project)}

    def providers(self) -> dict[str, str]:
        return {self.key: "settings"}

    def targets(self) -> dict[str, str]:
        return {key: str(target) for key, target in self.places().items()}

    def apply(
        self,
        desired: Iterable[Desired],
        *,
        stop: Event | None = None,
        plan: Plan | None = None,
        is_checked: bool = False,
    ) -> Result:
        """Lease, settle, plan (unless a plan is given) and apply, as the command does.

        With ``is_checked`` a plan that may not be applied raises RefusedError.
        """
        stop = stop or Event()
        with closing(self.ledger()) as real, closing(self.provider()) as provider:
            ledger = self.wrap_ledger(real)
            with leased(ledger, OWNER, self.clock, stop) as holder:
                declared = list(desired)
                resolve_open_intents(
                    ledger,
                    holder,
                    {self.key: provider},
                    self.clock,
                    stop,
                    self.watcher,
                    targets=self.targets(),
                    wait_for_events=False,
                    wanted={item.address: item.digest for item in declared if item.firing},
                )
                if plan is None:
                    plan = self.plan(declared, ledger, provider)
                elif is_checked and self.is_refused(plan, declared, ledger, provider):
                    raise RefusedError
                assert plan.problems == ()
                return apply_plan(
                    plan,
                    {self.key: provider},
                    ledger,
                    holder,
                    clock=self.clock,
                    stop=stop,
                    options=self.options,
                    progress=self.watcher,
                    targets=self.targets(),
                )

    def is_refused(self, plan: Plan, desired: Sequence[Desired], ledger: Ledger, provider: Provider) -> bool:
        """Whether a saved plan may not be applied: it is forged, or the service or the configuration has moved on."""
        if any(forgeries(plan, self.types)):
            return True
        observed = list(provider.observe(self.stack, desired))
        view = ledger.view(self.clock.now(), provider.limits.visible_within, self.targets())
        known = merge(self.stack, observed, view)
        statuses = ledger.statuses([operation.key for operation in plan.operations])
        done = [key for key, status in statuses.items() if status is Status.DONE]
        now = self.clock.now()
        return bool(staleness(plan, desired, known, now, providers=self.providers(), targets=self.places(), done=done))

    def settle(self, targets: Mapping[str, str] | None = None, wanted: Sequence[Desired] = ()) -> Settlement:
        stop, targets = Event(), targets or self.targets()
        with closing(self.ledger()) as real, closing(self.provider()) as provider:
            ledger, known = self.wrap_ledger(real), {self.key: provider}
            with leased(ledger, OWNER, self.clock, stop) as holder:
                told = (ledger, holder, known, self.clock, stop, self.watcher)
                return resolve_open_intents(*told, targets=targets, wanted={one.address: one.digest for one in wanted})

    def edit_by_hand(self, item: Mapping[str, Any], **annotations: str) -> None:
        """Push an alarm of the service again with other annotations; its marks stay."""
        event = {key: item[key] for key in ("metadata", "starts_at", "timeout", "attach_rule")}
        event["annotations"] = {**item["annotations"], **annotations}
        url = f"{self.emulator.url}/v2/{self.project}/push/events"
        requests.put(url, json={"events": [event]}, headers={"X-Auth-Token": "someone"}, timeout=10).raise_for_status()

    def active(self) -> list[str]:
        """The addresses of the stack's active alarms, one entry for each alarm."""
        return sorted(item["metadata"]["reconciler_address"] for item in self.items() if item["active"])

    def recorded(self, alarms: Sequence[dict[str, Any]] | None = None) -> list[tuple[str, str]]:
        """Address and occurrence of every event of the stack on record, one entry for each event.

        ``alarms`` is what the emulator just showed, if it was asked.
        """
        return sorted(
            (item["metadata"]["reconciler_address"], item["metadata"]["reconciler_occurrence"])
            for item in self.items(alarms)
            if item["metadata"]["event_type"] == "event"
        )

    def items(self, alarms: Sequence[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
        """All alarms and events of the stack that its project holds, those that have ended too."""
        return [
            item
            for item in (self.emulator.alarms() if alarms is None else alarms)
            if item["metadata"].get("reconciler_stack") == self.stack and item["project_id"] == self.project
        ]

    def pushes(self) -> list[int]:
        """How many items each push request had, in order."""
        return [len(body["events"]) for body in self.emulator.bodies("push")]


def start_harness(
    start: Callable[[Settings], Emulator], path: Path, settings: Settings | None = None, **configuration: object
) -> Harness:
    clock = FakeClock()
    emulator = start(replace(settings or Settings(), clock=clock.service))
    return Harness(emulator, clock, path / "ledger.db", settings=configuration)


def payloads(operations: Iterable[Operation]) -> list[str]:
    return sorted(operation.payload for operation in operations)
