"""Alarms that carry a stack's marks and that its ledger knows nothing of."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.run_cli import reconciler
from tests.cli.stacks import write
from tests.emulator.handle import Emulator

NAMES = [f"a{number}" for number in range(12)]


@pytest.fixture
def flood(tmp_path: Path, emulator: Emulator) -> Path:
    """A stack of one alarm, and eleven others with its marks that were pushed from a directory with another ledger."""
    elsewhere = write(tmp_path / "elsewhere", *NAMES[1:], endpoint=emulator.url)
    assert reconciler("apply", elsewhere, "--auto-approve").code == 0
    return write(tmp_path / "here", NAMES[0], endpoint=emulator.url)


def test_a_plan_says_how_many_clears_the_ledger_knows_no_push_of(flood: Path) -> None:
    done = reconciler("plan", flood)
    told = " ".join(done.out.split())
    assert "11 of 11 alarms to clear were never pushed by this stack, as far as its ledger knows" in told
    assert "clears 11 of the stack's 12 alarms" in " ".join(done.err.split())


def test_a_flood_is_not_cleared_without_force(flood: Path, emulator: Emulator) -> None:
    done = reconciler("apply", flood, "--auto-approve")
    assert done.code == 1, done
    assert "clears 11 of the stack's 12 alarms" in " ".join(done.err.split())
    assert len(emulator.active_alarms()) == 11
    assert reconciler("apply", flood, "--auto-approve", "--force").code == 0
    assert len(emulator.active_alarms()) == 1


def test_destroy_needs_no_force_and_says_the_numbers(flood: Path, emulator: Emulator) -> None:
    done = reconciler("destroy", flood, "--auto-approve")
    assert done.code == 0, done
    assert "11 of 11 alarms to clear were never pushed" in " ".join(done.out.split())
    assert "11 to clear" in done.out
    assert emulator.active_alarms() == []


def test_alarms_that_the_stack_pushed_are_cleared_without_a_word(tmp_path: Path, emulator: Emulator) -> None:
    directory = write(tmp_path, "one", "two", endpoint=emulator.url)
    assert reconciler("apply", directory, "--auto-approve").code == 0
    write(tmp_path, "one", endpoint=emulator.url)
    assert json.loads(reconciler("plan", directory, "--format", "json").out)["warnings"] == []
    shutil.rmtree(directory / ".reconciler")
    [warning] = json.loads(reconciler("plan", directory, "--format", "json").out)["warnings"]
    assert warning["summary"].startswith("1 of 1 alarm to clear was never pushed by this stack")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(own=st.integers(0, 8), strange=st.integers(1, 30))
def test_a_flood_of_any_size_is_counted_and_more_than_half_of_it_needs_force(
    emulator: Emulator, tmp_path: Path, own: int, strange: int
) -> None:
    emulator.reset()
    for directory in (tmp_path / "elsewhere", tmp_path / "here"):
        shutil.rmtree(directory, ignore_errors=True)
    here = write(tmp_path / "here", *(f"own{number}" for number in range(own)), endpoint=emulator.url)
    elsewhere = write(tmp_path / "elsewhere", *(f"strange{number}" for number in range(strange)), endpoint=emulator.url)
    assert not own or reconciler("apply", here, "--auto-approve", "--no-verify").code == 0
    forced = ("--auto-approve", "--no-verify", "--force")
    assert reconciler("apply", elsewhere, "--target", "aom_alarm.strange0", *forced).code == 0
    rest = [word for number in range(1, strange) for word in ("--target", f"aom_alarm.strange{number}")]
    assert not rest or reconciler("apply", elsewhere, *rest, *forced).code == 0
    told = " ".join(reconciler("plan", here).out.split())
    were = "alarm to clear was" if strange == 1 else "alarms to clear were"
    assert f"{strange} of {strange} {were} never pushed by this stack" in told
    stopped = own + strange >= 10 and strange * 2 > own + strange
    done = reconciler("apply", here, "--auto-approve", "--no-verify")
    assert done.code == stopped, done
    assert len(emulator.active_alarms()) == (own + strange if stopped else own)
