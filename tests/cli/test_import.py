"""``reconciler import``: alarms that fire already, declared and taken over."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from tests.cli.run_cli import Done, reconciler
from tests.cli.stacks import TOKEN, write
from tests.emulator.handle import Emulator

AWKWARD = "no: 'yes' # ${var.x} $${y}\n\u2028磁盘 \U0001f4be"
METADATA = {
    "event_name": "Disk full!",
    "event_severity": "Critical",
    "event_type": "alarm",
    "resource_provider": "ecs",
    "resource_type": "vm",
    "resource_id": "0x1F",
}


@pytest.fixture
def stack(tmp_path: Path, emulator: Emulator) -> Path:
    return write(tmp_path / "stack", "ours", endpoint=emulator.url)


def fire(emulator: Emulator, *, timeout: int | None = 1_800_000, annotations: object = None, **metadata: str) -> None:
    """Raise an alarm as anything but this project would."""
    event = {"starts_at": emulator.now(), "metadata": METADATA | metadata, "annotations": annotations or {}}
    if timeout is not None:
        event["timeout"] = timeout
    answer = requests.put(
        f"{emulator.url}/v2/p1/push/events", json={"events": [event]}, headers={"X-Auth-Token": TOKEN}, timeout=10
    )
    assert answer.status_code == 204


def imported(stack: Path, *arguments: str | Path) -> Done:
    done = reconciler("import", stack, *arguments)
    assert done.code == 0, done.err
    return done


def test_an_imported_alarm_is_taken_over_and_never_stops_firing(stack: Path, emulator: Emulator) -> None:
    fire(emulator, annotations={"message": AWKWARD, "steps": [1, {"wiki": None}]}, team=AWKWARD)
    reconciler("apply", stack, "--auto-approve")
    told = imported(stack, "--out", stack / "imported.yaml").err
    assert f"take them over: reconciler import --adopt --out adoption.json {stack}\n" in told
    head = (stack / "imported.yaml").read_text()
    assert f"adoption.json {stack}, then reconciler apply {stack} adoption.json\n" in head
    adoption = stack.parent / "adoption.json"
    shown = imported(stack, "--adopt", "--out", adoption)
    assert "aom_alarm.Disk_full will be imported: fires unmanaged as" in shown.out
    assert shown.out.endswith("Plan: 1 to import.\n")
    applied = reconciler("apply", stack, adoption)
    assert applied.code == 0, applied.err
    old, new = (alarm for alarm in emulator.alarms() if alarm["metadata"]["event_name"] == "Disk full!")
    assert not old["active"]
    assert new["active"]
    assert new["metadata"] == old["metadata"] | {
        "reconciler_stack": "tests",
        "reconciler_address": "aom_alarm.Disk_full",
    }
    assert {key: new["annotations"][key] for key in ("message", "steps")} == old["annotations"]
    assert reconciler("plan", stack).out.endswith("No changes. 2 alarms are as declared.\n")
    assert imported(stack).err == "No alarm to import.\n"


def test_what_a_stack_raised_is_nobody_elses_to_import(stack: Path, emulator: Emulator) -> None:
    reconciler("apply", stack, "--auto-approve")
    another = write(stack.parent / "another", stack="another", endpoint=emulator.url)
    done = imported(another)
    assert (done.out, done.err) == ("", "No alarm to import.\n")


def test_a_filter_narrows_by_key_and_widens_by_value(stack: Path, emulator: Emulator) -> None:
    for number, severity in enumerate(["Critical", "Major", "Minor"]):
        fire(emulator, event_severity=severity, resource_id=f"r{number}", team="checkout" if number else "payment")
    names = "event_severity: Critical", "event_severity: Major", "event_severity: Minor"

    def found(*filters: str) -> list[bool]:
        text = imported(stack, *(part for each in filters for part in ("--filter", each))).out
        return [name in text for name in names]

    assert found() == [True, True, True]
    assert found("event_severity=Critical", "event_severity=Major") == [True, True, False]
    assert found("event_severity=Critical", "event_severity=Major", "metadata.team=checkout") == [False, True, False]


def test_two_alarms_of_one_name_get_two_names(stack: Path, emulator: Emulator) -> None:
    fire(emulator, event_name="ours", resource_id="r8")
    fire(emulator, event_name="ours", resource_id="r9")
    text = imported(stack).out
    assert "    ours_2:\n      event_name: ours\n" in text
    assert "    ours_3:\n      event_name: ours\n" in text


def test_what_no_stack_could_declare_is_left_out_and_told(stack: Path, emulator: Emulator) -> None:
    fire(emulator, **{"${key}": "x"})
    done = imported(stack)
    assert done.out == ""
    assert "(Disk full!) cannot be declared and is skipped: the key ${key} reads like an expression" in done.err


def test_adoption_leaves_alone_what_the_stack_does_not_declare(stack: Path, emulator: Emulator) -> None:
    fire(emulator)
    done = imported(stack, "--adopt")
    assert "1 alarm is not declared" in done.err
    assert "Disk" not in done.out


def test_an_adoption_whose_answer_is_lost_looks_for_its_target(stack: Path, emulator: Emulator) -> None:
    fire(emulator)
    imported(stack, "--out", stack / "imported.yaml")
    adoption = stack.parent / "adoption.json"
    imported(stack, "--adopt", "--out", adoption)
    emulator.fault("clear:store-then-cut,nth=1")
    assert reconciler("apply", stack, adoption).code == 0
    assert [alarm["active"] for alarm in emulator.alarms()] == [False, True]
    assert len(emulator.requests("clear")) == 1


def test_nothing_is_overwritten(stack: Path, emulator: Emulator) -> None:
    fire(emulator)
    done = reconciler("import", stack, "--out", stack / "stack.yaml")
    assert done.code == 1
    assert "exists already" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--filter", "severity"], "is not of the form KEY=VALUE"),
        (["--filter", "severity=Critical"], 'did you mean "event_severity"?'),
        (["--filter", "nope=1"], "--filter metadata.nope="),
        (["--provider", "ces"], "cannot be imported from a provider"),
    ],
)
def test_a_request_that_means_nothing_is_an_error(stack: Path, arguments: list[str], said: str) -> None:
    done = reconciler("import", stack, *arguments)
    assert done.code == 1
    assert said in done.err


def test_filters_that_leave_nothing_are_said_to(stack: Path, emulator: Emulator) -> None:
    fire(emulator)
    done = imported(stack, "--filter", "metadata.nope=1")
    assert done.err == "No alarm to import: no unmanaged alarm matches the filters.\n"


def test_a_provider_that_refuses_to_be_asked_is_named_with_its_place(tmp_path: Path) -> None:
    done = reconciler("import", write(tmp_path, "one", endpoint="http://127.0.0.1:9"))
    assert done.code == 1
    assert "provider: aom\n" in done.err
    assert "stack.yaml:3:3\n" in done.err
