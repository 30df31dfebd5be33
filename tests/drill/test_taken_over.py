"""Taking over a drill whose run lost its lease and lives on: the record is that of the run that took over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.drill.record import Record, StepState
from reconciler.emulator.settings import Settings
from reconciler.ledger.protocol import LeaseLostError
from reconciler.ledger.sqlite import open_ledger
from tests.drill.harness import STEPS, Harness, start_harness
from tests.emulator.handle import Emulator

TAKE_OVER: dict[str, Callable[[Harness], Record]] = {"resume": Harness.resume, "abort": Harness.abort}


@pytest.mark.parametrize("how", TAKE_OVER)
@pytest.mark.parametrize("step", [0, 2], ids=["with much to send", "with nothing to send"])
def test_a_run_that_lost_its_lease_leaves_the_record_to_the_run_that_took_over(
    start_emulator: Callable[[Settings], Emulator], tmp_path: Path, step: int, how: str
) -> None:
    harness = start_harness(start_emulator, tmp_path)
    harness.write(steps=STEPS.replace("m,", "s,").replace("90s", "2s").replace("3s", "4s"))
    taken: list[Record] = []

    def take_over(record: Record) -> None:
        if record.steps[step].state is StepState.DONE and not taken:
            with closing(open_ledger(tmp_path / ".reconciler" / "shop.db")) as ledger:
                ledger.unlock()
            taken.append(TAKE_OVER[how](Harness(harness.emulator, tmp_path, fresh=False)))

    with pytest.raises(LeaseLostError):
        harness.start(watcher=take_over)
    assert harness.run_store.records() == taken
    assert harness.active() == []
    recorded = [item for item in harness.emulator.alarms() if item["metadata"]["event_type"] == "event"]
    assert len(recorded) == (how == "resume" or step == 2)
