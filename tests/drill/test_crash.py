"""Crashes: a drill killed at any instant is cleared by whoever comes next, or by its alarms' own timeouts."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.operation import Operation
from reconciler.drill.drill import GRACE
from reconciler.drill.record import DrillStatus, Record
from reconciler.emulator.settings import Settings
from reconciler.providers.aom.provider import AomProvider
from tests.drill.harness import STEPS, Harness, start_harness
from tests.emulator.handle import Emulator

Start = Callable[[Settings], Emulator]

# A server that forks: one interpreter for all, and no threads of this process in the children.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.drill.test_crash"])

WRITES = range(1, 27, 3)
"""Which write of its record a run dies right after; it makes 26 until its end."""
SENDS = range(1, 6)
"""Three pushes, a clear by a step, the clear at the end."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def victim(url: str, directory: Path, when: str, number: int) -> None:
    """Play the drill, and be killed: after a write of the record, before a request, or right after its answer."""
    count = 0

    def passed(what: str) -> None:
        nonlocal count
        count += what == when
        if count == number and what == when:
            die()

    real = AomProvider.send

    def send(self: AomProvider, operations: Sequence[Operation]) -> Sequence[str | None]:
        passed("asked")
        answer = real(self, operations)
        passed("answered")
        return answer

    AomProvider.send = send  # type: ignore[method-assign]
    harness = Harness(Emulator(url), directory, fresh=False)

    def written(_: Record) -> None:
        passed("written")

    harness.start(watcher=written)


def kill(harness: Harness, when: str, number: int) -> None:
    child = PROCESSES.Process(target=victim, args=(harness.emulator.url, harness.directory, when, number))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL, f"it was to be killed {when} {number}, and ended with {child.exitcode}"


@pytest.fixture
def harness(start_emulator: Start, tmp_path: Path) -> Harness:
    made = start_harness(start_emulator, tmp_path)
    made.write(head="    max_duration: 10m\n", steps=STEPS.replace("m,", "s,").replace("90s", "2s").replace("3s", "4s"))
    return made


POINTS: list[Any] = [("written", number) for number in WRITES]
POINTS += [(when, number) for number in SENDS for when in ("asked", "answered")]


@pytest.mark.parametrize(("when", "number"), POINTS)
def test_a_drill_killed_anywhere_and_then_aborted_leaves_nothing_active(
    harness: Harness, when: str, number: int
) -> None:
    kill(harness, when, number)
    record = harness.abort()
    assert (harness.active(), record.leftovers, record.ending) == ([], (), DrillStatus.ABORTED)
    assert harness.run_store.unfinished() == []


def test_an_alarm_that_a_killed_drill_raised_and_that_shows_late_is_cleared_by_an_abort(
    start_emulator: Start, tmp_path: Path
) -> None:
    harness = start_harness(start_emulator, tmp_path, Settings(visible_after=2_000))
    harness.write()
    kill(harness, "answered", 1)
    record = harness.abort()
    assert ([sent.ended_by for sent in record.alarms], record.leftovers) == (["drill abort"], ())
    harness.emulator.advance(2_000)
    assert harness.active() == []


@pytest.mark.parametrize(("when", "number"), POINTS[::2])
def test_a_drill_killed_and_never_touched_again_ends_by_its_timeouts(harness: Harness, when: str, number: int) -> None:
    kill(harness, when, number)
    harness.clock.refresh()
    harness.emulator.advance(10 * 60_000 + GRACE)
    assert harness.active() == []


@pytest.mark.parametrize(("when", "number"), POINTS[1::2])
def test_a_drill_killed_and_resumed_does_the_rest_once(harness: Harness, when: str, number: int) -> None:
    kill(harness, when, number)
    began = harness.run_store.unfinished()[0].started_at is not None
    record = harness.resume()
    assert (harness.active(), record.leftovers) == ([], ())
    assert record.ending is (DrillStatus.COMPLETE if began else DrillStatus.REFUSED)
    events = [item for item in harness.emulator.alarms() if item["metadata"]["event_type"] == "event"]
    assert len(events) == int(began)
    raised = [item for item in harness.emulator.alarms() if item["metadata"]["event_type"] == "alarm"]
    assert len(raised) == 2 * began
