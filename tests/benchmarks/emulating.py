"""The emulator: how many events a second it takes and gives, and where its time goes."""

from __future__ import annotations

import json
import pstats
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import requests

from tests.benchmarks.processes import emulator, profiled_emulator
from tests.benchmarks.rounds import take_turns
from tests.benchmarks.row import Row, alone
from tests.emulator.handle import Emulator

NAME = "emulator"

_PUSH, _PAGE = 100, 1_000
_MOST = 5
_HEADERS = {"X-Auth-Token": "not-a-secret", "Content-Type": "application/json"}


def run(quick: bool) -> list[Row]:
    """Measure; ``quick`` takes a few events and one round."""
    events, rounds = (2_000, 1) if quick else (20_000, 5)
    with emulator() as service:
        rates = take_turns({"push": _pushes(service, events), "query": _queries(service, events)}, rounds)
    with tempfile.TemporaryDirectory() as directory:
        profiles = {name: Path(directory) / name for name in rates}
        for name, profile in profiles.items():
            _profiled(name, profile, events)
        return [
            alone(f"emulator: {work}", rates[name], unit="events/s", note=_top(profiles[name]))
            for name, work in (
                ("push", f"pushes of {_PUSH} events"),
                ("query", f"queries of {_PAGE:,} events, {events:,} held"),
            )
        ]


def _profiled(work: str, profile: Path, events: int) -> None:
    """Do one kind of work on an emulator that writes where its time went."""
    with profiled_emulator(profile) as service:
        _pushes(service, events if work == "push" else _PAGE)()
        if work == "query":
            query = _queries(service, _PAGE)
            for _ in range(events // _PAGE):
                query()


def _pushes(service: Emulator, events: int) -> Callable[[], float]:
    """Pushes so many events, new ones every time; events a second."""
    session = requests.Session()
    begun_at = service.now()
    count = 0

    def push() -> float:
        nonlocal count
        bodies = [_body(begun_at, count + start, min(_PUSH, events - start)) for start in range(0, events, _PUSH)]
        count += events
        begun = perf_counter()
        for body in bodies:
            answer = session.put(f"{service.url}/v2/demo/push/events", data=body, headers=_HEADERS, timeout=30)
            assert answer.status_code == 204, answer.text
        return events / (perf_counter() - begun)

    return push


def _body(now: int, first: int, count: int) -> bytes:
    items = [
        {
            "starts_at": now,
            "timeout": 1_800_000,
            "metadata": {
                "event_name": "checkout_latency_high",
                "event_severity": "Major",
                "event_type": "alarm",
                "resource_provider": "ecs",
                "resource_type": "vm",
                "resource_id": f"ecs-{number}",
                "reconciler_stack": "bench",
                "reconciler_address": f'aom_alarm.latency["{number}"]',
            },
            "annotations": {"message": f"p99 above 2 s on ecs-{number}"},
        }
        for number in range(first, first + count)
    ]
    return json.dumps({"events": items}).encode()


def _queries(service: Emulator, events: int) -> Callable[[], float]:
    """Reads so many events of one stack, page by page; events a second."""
    session = requests.Session()
    relation = [{"key": "reconciler_stack", "value": ["bench"], "relation": "AND"}]
    body = json.dumps({"time_range": "-1.-1.60", "step": 60_000, "metadata_relation": relation}).encode()

    def query() -> float:
        found, marker = 0, "0"
        begun = perf_counter()
        while found < events and (found == 0 or marker):
            answer = session.post(
                f"{service.url}/v2/demo/events?type=active_alert&limit={_PAGE}&marker={marker}",
                data=body,
                headers=_HEADERS,
                timeout=30,
            )
            page = answer.json()
            found += len(page["events"])
            marker = page["page_info"]["next_marker"]
        assert found >= events
        return found / (perf_counter() - begun)

    return query


def _top(profile: Path) -> str:
    """The functions that took the most time themselves, waiting left out, and their shares of it."""
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = pstats.Stats(str(profile)).stats  # type: ignore[attr-defined]
    taken = {where: each[2] for where, each in stats.items() if "poll" not in where[2]}
    top = sorted(taken, key=lambda where: taken[where], reverse=True)[:_MOST]
    return "; ".join(f"{_place(*where)} {taken[where] / sum(taken.values()):.0%}" for where in top)


def _place(file: str, line: int, function: str) -> str:
    return f"{Path(file).name}:{function}" if line else function.strip("<>")
