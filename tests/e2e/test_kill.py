"""kill -9 at any point of an apply, and one more apply: the same end every time, nothing lost, nothing doubled."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import closing

import pytest

from reconciler.ledger.sqlite import open_ledger
from tests.e2e import release_stack
from tests.e2e.crash_harness import Death, Step
from tests.e2e.snapshot import Mode, Snapshot

EVENLY = [1 + release_stack.OPERATIONS * number // 17 for number in range(17)]
POINTS = {
    # Intents are journalled up to twenty batches ahead: for 400 operations, 90 more, and the 10 pushes that replace.
    Step.BEFORE_INTENT: [1, 401, 491],
    Step.AFTER_INTENT: [1, 401, 491],
    Step.AFTER_BEGIN: EVENLY[::4],
    Step.AFTER_SENDING: EVENLY,
    Step.BEFORE_OUTCOME: EVENLY,
}
MERGING = [Death(step, count) for step, counts in POINTS.items() for count in counts]
DOUBLING = [*MERGING, *(Death(step, release_stack.OPERATIONS + 1) for step in POINTS)]
"""Where a repeated push opens a second alarm, more operations follow: the first one is cleared."""
DEATHS: dict[Mode, list[Death]] = {"merge": MERGING, "duplicate": DOUBLING}


@pytest.mark.parametrize("mode", DEATHS)
def test_there_are_more_than_forty_points_in_a_run_of_500_operations(
    snapshot: Callable[[Mode], Snapshot], mode: Mode
) -> None:
    with snapshot(mode).place() as place:
        whole = place.apply()
        assert release_stack.shown(place.emulator) == release_stack.expected()
    last = {step: counts[-1] for step, counts in whole.steps.items()}
    assert last[Step.AFTER_SENDING] == release_stack.OPERATIONS + (30 if mode == "duplicate" else 0)
    assert len(set(DEATHS[mode])) >= 40
    assert all(death.count <= last[death.step] for death in DEATHS[mode])


@pytest.mark.parametrize(
    ("mode", "death"),
    [
        pytest.param(mode, death, id=f"{mode}, {death.step}, {death.count}")
        for mode, deaths in DEATHS.items()
        for death in deaths
    ],
)
def test_one_more_apply_completes_what_a_killed_one_began(
    snapshot: Callable[[Mode], Snapshot], mode: Mode, death: Death
) -> None:
    with snapshot(mode).place() as place:
        assert place.apply(death=death).signal == signal.SIGKILL
        again = place.apply()
        assert again.code == 0, again.err
        assert release_stack.shown(place.emulator) == release_stack.expected()
        with closing(open_ledger(place.stack / ".reconciler" / "fleet.db")) as ledger:
            assert ledger.open_intents() == []
