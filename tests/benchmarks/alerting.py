"""Alerts at a real Alertmanager: an apply beside a bare loop of the same posts and amtool, and a plan's requests."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import Event
from time import perf_counter

import requests

from reconciler.apply.executor import apply_plan
from reconciler.apply.options import Options
from reconciler.config.load import load_stack
from reconciler.config.stack import Inputs, StackConfig
from reconciler.config.yaml.source_map import Source
from reconciler.core.system_clock import SystemClock
from reconciler.emulator.settings import wall_clock
from reconciler.ledger.sqlite import open_ledger
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan
from reconciler.providers.http import Client
from reconciler.providers.protocol import Provider, ProviderContext
from reconciler.providers.registry import Registry
from tests.benchmarks.rounds import take_turns
from tests.benchmarks.row import Row, alone, compared
from tests.servers.alertmanager import alertmanager, alertmanager_config, amtool

NAME = "alerting"

_BATCH = 1_000
_NAMES = count(1)
_STACK = """\
stack: bench
providers: {{alertmanager: {{endpoints: ["{url}"]}}}}
resources:
  alertmanager_alert:
    down:
      for_each: {hosts}
      labels: {{severity: critical, service: checkout, instance: "${{each.value}}"}}
      annotations: {{summary: "${{each.value}} does not answer", runbook_url: https://runbooks.example.com/down}}
      timeout: 2h
"""


def run(quick: bool) -> list[Row]:
    """Compare; ``quick`` takes a hundredth of the alerts and one round."""
    alerts, rounds, by_hand = (100, 1, 3) if quick else (10_000, 7, 50)
    with tempfile.TemporaryDirectory() as directory, alertmanager(Path(directory), alertmanager_config()) as server:
        hosts = [f"host-{number:05d}" for number in range(alerts)]
        text = _STACK.format(url=server.url, hosts=hosts).encode()
        stack = load_stack([Source("stack.yaml", text)], Path(), tuple(Registry()), Inputs())
        plans = _plans(stack, alerts)
        taken = take_turns({"ours": lambda: _apply(stack), "theirs": lambda: _post(stack, server.url)}, rounds)
        rates = {side: [alerts / each for each in seconds] for side, seconds in taken.items()}
        work = f"apply {alerts:,} alerts to a real Alertmanager, batches of {_BATCH:,}, journal on"
        against = "a bare loop of `requests` posts of the same batches"
        rows = [compared(work, against, rates["ours"], rates["theirs"], 0.7, unit="alerts/s", at_least=True)]
        one_by_one = by_hand / _seconds_of_amtool(server.url, by_hand)
        rows.append(alone("`amtool alert add`, one by one", [one_by_one], unit="alerts/s"))
        return [*rows, *plans]


def _plan(stack: StackConfig) -> Plan:
    """A plan that creates every alert, under a name that nothing carries yet."""
    name = f"bench-{next(_NAMES)}"
    return make_plan(name, stack.desired, [], SystemClock().now(), types=Registry().resource_types())


def _open(stack: StackConfig) -> Provider:
    kind = Registry().get("alertmanager")
    assert kind is not None
    return kind.open("alertmanager", stack.providers["alertmanager"].settings, ProviderContext("benchmark", wall_clock))


def _apply(stack: StackConfig) -> float:
    """Seconds from a plan, its provider and its ledger at hand, to its result; everything is sent and journalled."""
    plan, clock = _plan(stack), SystemClock()
    with (
        tempfile.TemporaryDirectory() as directory,
        closing(_open(stack)) as provider,
        closing(open_ledger(Path(directory) / "bench.db")) as ledger,
    ):
        holder = ledger.acquire("bench", "bench", os.getpid(), clock.now(), 1_000_000)
        known = {"alertmanager": provider}
        begun = perf_counter()
        result = apply_plan(plan, known, ledger, holder, clock=clock, stop=Event(), options=Options(verify=False))
        taken = perf_counter() - begun
    if result.remaining:
        raise RuntimeError(f"{len(result.remaining)} alerts were not applied: {result.cause}")
    return taken


def _post(stack: StackConfig, url: str) -> float:
    payloads = [operation.payload for operation in _plan(stack).operations]
    bodies = [f"[{','.join(payloads[start : start + _BATCH])}]".encode() for start in range(0, len(payloads), _BATCH)]
    with requests.Session() as session:
        begun = perf_counter()
        for body in bodies:
            headers = {"Content-Type": "application/json"}
            session.post(f"{url}/api/v2/alerts", data=body, headers=headers, timeout=60).raise_for_status()
        return perf_counter() - begun


def _seconds_of_amtool(url: str, alerts: int) -> float:
    begun = perf_counter()
    for number in range(alerts):
        amtool(url, "alert", "add", "down", f"instance=host-{number}", "severity=critical", "--annotation=summary=down")
    return perf_counter() - begun


def _plans(stack: StackConfig, alerts: int) -> list[Row]:
    """The requests and the seconds of a plan in which nothing changes."""
    plan, clock, asked = _plan(stack), SystemClock(), []
    send = Client.send

    def counted(self: Client, method: str, path: str, **more: object) -> object:
        asked.append(f"{method} {path.rsplit('/', 1)[1]}")
        return send(self, method, path, **more)  # type: ignore[arg-type]

    with closing(_open(stack)) as provider:
        operations = list(plan.operations)
        for start in range(0, len(operations), _BATCH):
            provider.send(operations[start : start + _BATCH])
        Client.send = counted  # type: ignore[method-assign,assignment]
        try:
            begun = perf_counter()
            observed = list(provider.observe(plan.stack, stack.desired))
            again = make_plan(plan.stack, stack.desired, observed, clock.now(), types=Registry().resource_types())
            taken = perf_counter() - begun
        finally:
            Client.send = send  # type: ignore[method-assign]
    if again.pending or len(again.changes) != alerts:
        raise RuntimeError(f"{len(again.pending)} of {len(again.changes)} alerts would change")
    note = ", ".join(f"{asked.count(each)} {each}" for each in sorted(set(asked)))
    return [
        alone(f"requests that a plan of {alerts:,} alerts makes", [float(len(asked))], unit="", note=note),
        alone(f"query and plan {alerts:,} alerts, no changes", [taken], unit="s"),
    ]
