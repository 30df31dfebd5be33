"""A drill whose ledger is shared: another machine watches it, aborts it, and resumes it when the first has died."""

from __future__ import annotations

from pathlib import Path

from tests.cli.run_cli import reconciler
from tests.cli.test_drill_ends import STEPS, under_way
from tests.drill.harness import RESOURCES, STACK
from tests.emulator.handle import Emulator
from tests.servers import postgres


def machines(tmp_path: Path, emulator: Emulator, steps: str) -> list[Path]:
    """Directories with the same configuration, and nothing else in common."""
    places = [tmp_path / name for name in ("one", "two", "three")]
    for place in places:
        place.mkdir()
        (place / "stack.yaml").write_text(STACK.format(url=emulator.url) + f"  outage:\n{RESOURCES}{steps}")
    return places


def test_another_machine_sees_a_running_drill_and_aborts_it(tmp_path: Path, emulator: Emulator) -> None:
    one, two, three = machines(tmp_path, emulator, STEPS)
    there = ("--ledger", postgres.server().schema())
    with under_way(one, *there) as running:
        assert "The drill is running" in reconciler("drill", "status", two, *there).out
        assert reconciler("drill", "run", "outage", two, "--yes", *there).code == 5
        aborted = reconciler("drill", "abort", "outage", two, *there)
        running.communicate(timeout=60)
    assert (aborted.code, running.returncode) == (0, 130)
    assert "The drill was aborted: 2 alarms raised, all cleared" in aborted.out
    assert emulator.active_alarms() == []
    assert "aborted" in _report(three, there)


def test_another_machine_resumes_a_drill_whose_runner_died(tmp_path: Path, emulator: Emulator) -> None:
    steps = STEPS.replace("30m", "5s")
    one, two, three = machines(tmp_path, emulator, steps)
    there = ("--ledger", postgres.server().schema())
    with under_way(one, *there) as running:
        running.kill()
        running.wait()
    assert len(emulator.active_alarms()) == 2
    assert "The drill's process died before its end" in reconciler("drill", "status", two, *there).out
    resumed = reconciler("drill", "resume", "outage", two, "--yes", *there)
    assert resumed.code == 0, resumed.err
    assert emulator.active_alarms() == []
    assert len([item for body in emulator.bodies("push") for item in body["events"]]) == 2
    assert "died" in _report(three, there)
    history = reconciler("drill", "report", "outage", three, "--history", *there)
    assert (history.code, "outage" in history.out) == (0, True), history.err
    assert not any((place / ".reconciler").exists() for place in (one, two, three))


def _report(place: Path, there: tuple[str, str]) -> str:
    status = reconciler("drill", "status", place, *there)
    assert status.code == 0, status.err
    run = next(word.strip(",.") for word in status.out.split() if "-outage-" in word)
    report = reconciler("drill", "report", run, place, *there)
    assert report.code == 0, report.err
    return report.out
