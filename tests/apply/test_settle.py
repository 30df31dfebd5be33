"""Settling: what a dead run left open is asked about until the service must have shown it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.core.duration import HOUR, MINUTE, SECOND
from reconciler.core.operation import Operation
from reconciler.emulator.settings import Settings
from reconciler.ledger.protocol import Run, RunState
from tests.apply.rig import OWNER, Rig, rig
from tests.emulator.handle import Emulator
from tests.plan.world import alarm

Start = Callable[[Settings], Emulator]


def intended(it: Rig, *names: str) -> list[Operation]:
    """Operations whose intent a run has journalled that then died."""
    with closing(it.ledger()) as ledger, closing(it.provider()) as provider:
        plan = it.plan([alarm(name, timeout="12h") for name in names], ledger, provider)
        holder = ledger.acquire(OWNER.name, OWNER.host, OWNER.pid, it.clock.now(), SECOND)
        ledger.begin(holder, Run("run", plan.id, "apply", it.clock.now(), None, RunState.RUNNING))
        operations = list(plan.operations)
        ledger.record_intents(holder, "run", operations, it.clock.now())
        ledger.release(holder)
    return operations


def send(it: Rig, operations: list[Operation]) -> None:
    with closing(it.provider()) as provider:
        provider.send(operations)


def test_what_was_sent_long_after_it_was_meant_to_be_is_waited_for(start_emulator: Start, tmp_path: Path) -> None:
    it = rig(start_emulator, tmp_path)
    first, second = intended(it, "one", "two")
    it.clock.time += 20 * MINUTE
    it.emulator.fault("push:hide=5s")
    send(it, [first])
    found = it.settle()
    assert [entry.operation.key for entry in found.arrived] == [first.key]
    assert [entry.operation.key for entry in found.lost] == [second.key]


@pytest.mark.parametrize(("age", "wait"), [(MINUTE, 10 * SECOND), (2 * HOUR, 0)])
def test_what_is_missing_is_waited_for_unless_its_run_must_have_ended_long_ago(
    start_emulator: Start, tmp_path: Path, age: int, wait: int
) -> None:
    it = rig(start_emulator, tmp_path)
    [operation] = intended(it, "one")
    it.clock.time += age
    began = it.clock.time
    assert [entry.operation.key for entry in it.settle().lost] == [operation.key]
    assert wait <= it.clock.time - began <= 2 * wait


def test_what_shows_at_once_is_not_waited_for(start_emulator: Start, tmp_path: Path) -> None:
    it = rig(start_emulator, tmp_path)
    send(it, intended(it, "one", "two"))
    began = it.clock.time
    assert len(it.settle().arrived) == 2
    assert it.clock.time == began
