"""Chaos Toolkit raises, checks and takes back alarms through a stack's drill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chaoslib.exceptions import ActivityFailed

from reconciler.emulator.settings import Settings
from reconciler.integrations.chaostoolkit import check, clear_alarms, no_active_alarms, raise_alarms, record_event
from tests.drill.harness import RESOURCES, STACK, STEPS
from tests.emulator.handle import Emulator

GAME_DAY = Path(__file__).parents[2] / "examples" / "game-day"
CHAOS = Path(sys.executable).with_name("chaos")


@pytest.fixture
def emulator(start_emulator: Callable[[Settings], Emulator]) -> Emulator:
    return start_emulator(Settings())


@pytest.fixture
def stack(emulator: Emulator, tmp_path: Path) -> str:
    write(tmp_path, emulator)
    return str(tmp_path)


def write(directory: Path, emulator: Emulator, head: str = "") -> None:
    drill = f"  outage:\n{head}{RESOURCES}{STEPS}"
    (directory / "stack.yaml").write_text(STACK.format(url=emulator.url) + drill)


def active(emulator: Emulator) -> list[str]:
    return sorted(alarm["metadata"]["reconciler_address"] for alarm in emulator.active_alarms())


def chaos(directory: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Run ``chaos run`` in a directory: its exit code, its journal, what it said."""
    environ = os.environ | {"HOME": str(directory), "CHAOSTOOLKIT_NO_VERSION_CHECK": "1"}
    command = [CHAOS, "--no-version-check", "run", "chaos/experiment.yaml", *arguments]
    done = subprocess.run(command, cwd=directory, env=environ, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - a command of ours
    said = done.stdout + done.stderr
    journal = directory / "journal.json"
    assert journal.is_file(), said
    return done.returncode, json.loads(journal.read_text()), said


def test_the_experiment_of_the_game_day_runs_under_the_real_chaos_run(tmp_path: Path) -> None:
    directory = tmp_path / "game-day"
    shutil.copytree(GAME_DAY, directory, ignore=shutil.ignore_patterns(".reconciler"))
    code, journal, said = chaos(directory)
    assert (code, journal["status"], journal["deviated"]) == (0, "completed", False), said
    assert [each["output"]["done"] for each in journal["rollbacks"]] == [[]]
    raised = next(each for each in journal["run"] if each["activity"]["name"] == "payment-fails")
    assert raised["output"]["done"] == ["aom_alarm.checkout_outage--payment_errors"]


def test_its_rollbacks_take_back_what_a_method_that_fails_left(tmp_path: Path) -> None:
    directory = tmp_path / "game-day"
    shutil.copytree(GAME_DAY, directory, ignore=shutil.ignore_patterns(".reconciler"))
    experiment = directory / "chaos" / "experiment.yaml"
    text = experiment.read_text()
    wrong = text.replace("resource: aom_event.failover", "resource: aom_event.nope")
    experiment.write_text(wrong.replace("name: payment-recovers", "name: too-late\n    controls: []"))
    _, journal, said = chaos(directory, "--rollback-strategy", "always")
    failed = next(each for each in journal["run"] if each["activity"]["name"] == "failover")
    assert failed["status"] == "failed", said
    assert "has no event aom_event.nope" in str(failed["exception"])
    assert no_active_alarms(str(directory), "checkout_outage")


def test_alarms_are_raised_once_seen_by_a_probe_and_cleared(emulator: Emulator, stack: str) -> None:
    assert no_active_alarms(stack, "outage")
    told = raise_alarms(stack, "outage")
    assert told["done"] == ["aom_alarm.outage--slow", "aom_alarm.outage--broken"]
    assert active(emulator) == ["aom_alarm.outage--broken", "aom_alarm.outage--slow"]
    assert raise_alarms(stack, "outage", resources="aom_alarm.slow")["already"] == 1
    assert not no_active_alarms(stack, "outage")
    assert check(stack, ["slow_fires"])
    assert check(stack, ["never"]) is False
    clear_alarms(stack, "outage")
    assert (active(emulator), no_active_alarms(stack, "outage")) == ([], True)
    assert clear_alarms(stack, "outage")["done"] == []


def test_what_an_experiment_raises_ends_by_itself(emulator: Emulator, stack: str) -> None:
    write(Path(stack), emulator, "    max_duration: 10m\n")
    raise_alarms(stack, "outage", ["aom_alarm.slow"])
    [alarm] = emulator.active_alarms()
    assert alarm["timeout"] == 11 * 60_000


def test_an_event_is_recorded_once_for_each_occurrence(emulator: Emulator, stack: str) -> None:
    for occurrence in ("one", "one", "two"):
        record_event(stack, "outage", "aom_event.failover", occurrence)
    assert len(emulator.alarms()) == 2


def test_what_a_drill_does_not_allow_fails_in_words_and_sends_nothing(emulator: Emulator, stack: str) -> None:
    write(Path(stack), emulator, "    allowed: {severities: [Minor]}\n")
    with pytest.raises(ActivityFailed, match=r"aom_alarm.slow has severity Major, and drill outage allows Minor"):
        raise_alarms(stack, "outage")
    assert emulator.requests("push") == []


def test_a_probe_that_can_not_ask_fails_rather_than_telling_no(emulator: Emulator, stack: str) -> None:
    emulator.fault("query:status=403")
    with pytest.raises(ActivityFailed, match="403"):
        no_active_alarms(stack, "outage")
    with pytest.raises(ActivityFailed, match="calm"):
        check(stack, ["calm"])


def test_the_experiment_rolls_back_when_it_is_interrupted(tmp_path: Path, emulator: Emulator) -> None:
    directory = tmp_path / "game-day"
    shutil.copytree(GAME_DAY, directory, ignore=shutil.ignore_patterns(".reconciler"))
    stack, experiment = directory / "stack.yaml", directory / "chaos" / "experiment.yaml"
    stack.write_text(stack.read_text().replace("endpoint: embedded", f'endpoint: "{emulator.url}"'))
    pause = "  - {type: action, name: wait, provider: {type: process, path: sleep, arguments: '20'}}\n"
    text = experiment.read_text()
    place = text.index("  - type: probe\n    name: the-alarm-shows")
    experiment.write_text(text[:place] + pause + text[place:])
    environ = os.environ | {"HOME": str(directory), "CHAOSTOOLKIT_NO_VERSION_CHECK": "1"}
    command = [CHAOS, "--no-version-check", "run", "chaos/experiment.yaml"]
    running = subprocess.Popen(  # noqa: S603 - a command of ours
        command,
        cwd=directory,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert running.stdout is not None
        for told in running.stdout:
            if "Action: wait" in told:
                break
        assert active(emulator) != []
        os.killpg(running.pid, signal.SIGINT)
        running.communicate(timeout=60)
    finally:
        running.kill()
        running.wait()
    assert active(emulator) == []


def test_a_user_without_a_name_can_use_it(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_name() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", no_name)
    assert raise_alarms(stack, "outage", ["aom_alarm.slow"])["done"] != []
    assert clear_alarms(stack, "outage")["done"] != []
