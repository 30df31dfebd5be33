"""A saved plan: applied as it was shown, once; continued after an interruption; refused where it does not hold."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.emulator.settings import Settings
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write
from tests.e2e import release_stack
from tests.e2e.crash_harness import Death, Step
from tests.e2e.sent import planned, sent
from tests.e2e.snapshot import Mode, Snapshot
from tests.emulator.handle import Emulator

APPLIED = "Already applied: every operation of this plan is done. Nothing was sent.\n"


@pytest.mark.parametrize("mode", ["merge", "duplicate"])
def test_what_the_plan_shows_is_what_is_sent_and_only_once(
    snapshot: Callable[[Mode], Snapshot], mode: Mode, tmp_path: Path
) -> None:
    saved = tmp_path / "plan.json"
    with snapshot(mode).place() as place:
        assert place.run("plan", "--out", saved).code == 0
        place.emulator.forget_requests()
        assert place.run("apply", saved).code == 0
        assert sent(place.emulator) == planned(saved, conditional=mode == "duplicate")
        place.emulator.forget_requests()
        again = place.run("apply", saved)
        assert (again.code, again.out) == (0, APPLIED)
        assert place.emulator.requests() == []
        assert release_stack.shown(place.emulator) == release_stack.expected()


@pytest.mark.parametrize("mode", ["merge", "duplicate"])
@pytest.mark.parametrize(
    "death",
    [
        Death(Step.BEFORE_INTENT, 1),
        Death(Step.AFTER_INTENT, 491),
        Death(Step.AFTER_SENDING, 120),
        Death(Step.BEFORE_OUTCOME, 340),
        Death(Step.AFTER_OUTCOME, 60),
        Death(Step.BEFORE_CONFIRMING, 1),
    ],
    ids=lambda death: f"{death.step}, {death.count}",
)
def test_a_saved_plan_goes_on_where_it_was_killed(
    snapshot: Callable[[Mode], Snapshot], mode: Mode, death: Death, tmp_path: Path
) -> None:
    saved = tmp_path / "plan.json"
    with snapshot(mode).place() as place:
        place.run("plan", "--out", saved)
        assert place.run("apply", saved, death=death).signal == signal.SIGKILL
        again = place.run("apply", saved)
        assert again.code == 0, again.err
        assert release_stack.shown(place.emulator) == release_stack.expected()
        assert set(sent(place.emulator)) <= set(planned(saved, conditional=True))
        assert place.run("apply", saved).out == APPLIED


def test_a_saved_plan_is_refused_where_the_service_has_moved_on(emulator: Emulator, tmp_path: Path) -> None:
    stack, saved = write(tmp_path / "stack", "one", "two", "three", endpoint=emulator.url), tmp_path / "plan.json"
    reconciler("apply", stack, "--target", "aom_alarm.one", "--auto-approve")
    assert reconciler("plan", stack, "--out", saved).code == 0
    reconciler("apply", stack, "--target", "aom_alarm.two", "--auto-approve")
    emulator.forget_requests()
    done = reconciler("apply", stack, saved)
    assert done.code == 1
    assert "aom_alarm.two has changed at the service since the plan" in done.err
    assert "aom_alarm.three" not in done.err
    assert sent(emulator) == []


@pytest.mark.parametrize("emulator", [Settings(on_repeat="duplicate")], indirect=True)
def test_a_plan_done_in_part_is_not_continued_where_another_run_pushed_since(
    emulator: Emulator, tmp_path: Path
) -> None:
    stack, saved = write(tmp_path / "stack", "one", "two", endpoint=emulator.url), tmp_path / "plan.json"
    file = stack / "stack.yaml"
    file.write_text(file.read_text().replace("project_id:", "batch_size: 1, parallelism: 1, project_id:"))
    emulator.fault("push:status=400,nth=2")
    reconciler("plan", stack, "--out", saved)
    assert reconciler("apply", stack, saved).code == 4
    assert reconciler("apply", stack, "--auto-approve").code == 0
    done = reconciler("apply", stack, saved)
    assert done.code == 1
    assert "aom_alarm.two has changed at the service since the plan" in done.err
    assert "aom_alarm.one" not in done.err
    assert len(emulator.active_alarms()) == 2


def test_a_plan_done_in_part_is_continued_with_what_is_left(emulator: Emulator, tmp_path: Path) -> None:
    stack, saved = write(tmp_path / "stack", "one", "two", endpoint=emulator.url), tmp_path / "plan.json"
    file = stack / "stack.yaml"
    file.write_text(file.read_text().replace("project_id:", "batch_size: 1, parallelism: 1, project_id:"))
    emulator.fault("push:status=400,nth=2")
    reconciler("plan", stack, "--out", saved)
    done = reconciler("apply", stack, saved)
    assert done.code == 4
    assert f"To continue: reconciler apply {stack} {saved}" in done.out
    emulator.forget_requests()
    assert reconciler("apply", stack, saved).code == 0
    assert len(sent(emulator)) == 1
    assert reconciler("apply", stack, saved).out == APPLIED
