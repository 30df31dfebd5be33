"""One ledger for many machines: what one did, the others know, and only one at a time works on a stack."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.emulator.settings import Settings
from reconciler.ledger.location import Location, read_at
from tests.cli.process import reconciler
from tests.cli.stacks import write
from tests.e2e.forks import run_together
from tests.emulator.handle import Emulator
from tests.ledger.conformance.conftest import SHARED

STORES = ("postgres", "seaweedfs")
NAMES = [f"a{number}" for number in range(3)]
EVENT = """\
  aom_event:
    released: {resource_provider: ecs, resource_type: vm, resource_id: r1, event_severity: Info, occurrence: "7"}
"""


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(SHARED[request.param](tmp_path))


def machines(declared: Path, count: int) -> list[Path]:
    """Fresh directories with the same configuration."""
    return [shutil.copytree(declared, declared.with_name(f"machine-{number}")) for number in range(count)]


@pytest.mark.parametrize("emulator", [Settings(on_repeat="duplicate")], indirect=True)
def test_a_plan_made_on_one_machine_and_applied_on_two_is_sent_once(
    emulator: Emulator, tmp_path: Path, url: str
) -> None:
    declared = write(tmp_path / "declared", *NAMES, endpoint=emulator.url, more=EVENT)
    plan, first, second = ({"cwd": place, "env": {"RECONCILER_LEDGER": url}} for place in machines(declared, 3))
    saved = tmp_path / "plan.json"
    assert reconciler("plan", "--out", saved, **plan).returncode == 0
    done = reconciler("apply", saved, "--auto-approve", **first)
    assert done.returncode == 0, done.stderr
    again = reconciler("apply", saved, "--auto-approve", **second)
    assert again.returncode == 0, again.stderr
    assert "Already applied" in again.stdout
    assert len(emulator.active_alarms()) == len(NAMES)
    assert len([item for body in emulator.bodies("push") for item in body["events"]]) == len(NAMES) + 1


def test_an_event_recorded_by_one_machine_is_known_to_all_though_the_service_forgot_it(
    emulator: Emulator, tmp_path: Path, url: str
) -> None:
    declared = write(tmp_path / "declared", *NAMES, endpoint=emulator.url, more=EVENT)
    first, second = machines(declared, 2)
    assert reconciler("apply", first, "--auto-approve", "--ledger", url).returncode == 0
    emulator.reset()
    done = reconciler("apply", second, "--auto-approve", "--ledger", url)
    assert done.returncode == 0, done.stderr
    sent = [item["metadata"]["event_type"] for body in emulator.bodies("push") for item in body["events"]]
    assert sent == ["alarm"] * len(NAMES)


def test_of_twenty_applies_of_one_stack_at_once_one_works_and_the_others_name_it(
    emulator: Emulator, tmp_path: Path, url: str
) -> None:
    declared = write(tmp_path / "declared", *NAMES, endpoint=emulator.url)
    emulator.fault("push:delay=5s,nth=1")
    done = run_together(
        tmp_path, [("apply", place, "--auto-approve", "--ledger", url) for place in machines(declared, 20)]
    )
    assert {each.code for each in done} <= {0, 5}, done
    worked = [each for each in done if "Apply complete" in each.out]
    assert len(worked) == 1
    held = [each for each in done if each.code == 5]
    assert held
    assert all("(process " in each.err and "reconciler ledger unlock" in each.err for each in held)
    assert len(emulator.requests("push")) == 1
    with closing(read_at(Location(url, "tests"))) as ledger:
        assert [run.command for run in ledger.runs()].count("apply") >= 1
        assert ledger.open_intents() == []


def test_twenty_stacks_at_once_share_one_ledger(emulator: Emulator, tmp_path: Path, url: str) -> None:
    places = [
        write(tmp_path / f"stack-{number}", *NAMES, endpoint=emulator.url, stack=f"stack-{number}")
        for number in range(20)
    ]
    done = run_together(tmp_path, [("apply", place, "--auto-approve", "--ledger", url) for place in places])
    assert [(each.code, each.err) for each in done if each.code] == []
    assert len(emulator.active_alarms()) == 20 * len(NAMES)
    listed = json.loads(reconciler("ledger", "list", url, "--format", "json").stdout)
    assert sorted(found["stack"] for found in listed["stacks"]) == sorted(place.name for place in places)
    assert {found["holder"] for found in listed["stacks"]} == {None}


def test_applies_that_wait_for_the_lease_all_end_well(emulator: Emulator, tmp_path: Path, url: str) -> None:
    declared = write(tmp_path / "declared", *NAMES, endpoint=emulator.url)
    emulator.fault("push:delay=1s,nth=1")
    waiting = ("--auto-approve", "--lock-timeout", "2m", "--ledger", url)
    done = run_together(tmp_path, [("apply", place, *waiting) for place in machines(declared, 5)])
    assert [(each.code, each.err) for each in done if each.code] == []
    assert sum("Apply complete" in each.out for each in done) == 1
    assert len(emulator.requests("push")) == 1
