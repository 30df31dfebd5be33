"""Leaving out, forgetting and raising again: at AOM, merging repeated pushes or not, and at Alertmanager."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest

from reconciler.apply.lease import Owner, leased
from reconciler.core.system_clock import SystemClock
from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from reconciler.ledger.sqlite import open_ledger
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write
from tests.emulator.alertmanager.target import KINDS, target
from tests.emulator.handle import Emulator

MODES = pytest.mark.parametrize("mode", ["merge", "duplicate"])


def _names(emulator: Emulator) -> list[str]:
    return sorted(alarm["metadata"]["event_name"] for alarm in emulator.active_alarms())


def _with_lifecycle(directory: Path, name: str, lifecycle: str) -> None:
    file = directory / "stack.yaml"
    file.write_text(file.read_text().replace(f"    {name}: {{", f"    {name}: {{lifecycle: {lifecycle}, "))


@MODES
def test_removed_and_forgetful_alarms_go_on_firing_at_aom(mode: str, tmp_path: Path) -> None:
    with running(Settings(on_repeat=mode)) as url:
        emulator = Emulator(url)
        stack = write(tmp_path / "stack", "one", "two", "three", endpoint=url)
        _with_lifecycle(stack, "two", "{on_remove: forget}")
        assert reconciler("apply", stack, "--auto-approve").code == 0
        write(stack, "three", endpoint=url, more="removed: [{from: aom_alarm.one}]\n")
        shown = reconciler("plan", stack)
        assert "  . aom_alarm.one will be forgotten: left firing, as `removed` says\n" in shown.out
        assert "  . aom_alarm.two will be forgotten: left firing, as its lifecycle.on_remove says\n" in shown.out
        assert json.loads(reconciler("plan", stack, "--format", "json").out)["counts"]["forget"] == 2
        done = reconciler("apply", stack, "--auto-approve")
        assert done.out.endswith("Apply complete: 2 forgotten.\n"), done.out + done.err
        newest = json.loads(reconciler("ledger", "list", stack, "--format", "json").out)["runs"][0]["id"]
        assert "push  aom_alarm.one  not sent" in reconciler("ledger", "show", newest, stack).out
        # Without the block they are left alone too, by destroy as well.
        write(stack, "three", endpoint=url)
        assert "No changes." in reconciler("apply", stack, "--auto-approve").out
        assert reconciler("destroy", stack, "--auto-approve").out.endswith("Destroy complete: 1 cleared.\n")
        assert _names(emulator) == ["one", "two"]


@MODES
def test_an_alarm_is_raised_again_and_an_excluded_one_is_left(mode: str, tmp_path: Path) -> None:
    with running(Settings(on_repeat=mode)) as url:
        emulator = Emulator(url)
        stack = write(tmp_path / "stack", "one", "two", endpoint=url)
        reconciler("apply", stack, "--auto-approve")
        before = {alarm["metadata"]["event_name"]: alarm["id"] for alarm in emulator.active_alarms()}
        done = reconciler("apply", stack, "--auto-approve", "--replace", "aom_alarm.one")
        assert done.out.endswith("Apply complete: 1 replaced.\n"), done.out + done.err
        after = {alarm["metadata"]["event_name"]: alarm["id"] for alarm in emulator.active_alarms()}
        assert (after["one"] != before["one"], after["two"] == before["two"]) == (True, True)
        done = reconciler("destroy", stack, "--auto-approve", "--exclude", "aom_alarm.two")
        assert done.out.endswith("Destroy complete: 1 cleared.\n"), done.out + done.err
        assert _names(emulator) == ["two"]
        wrong = reconciler("plan", stack, "--exclude", "aom_alarm.twoo")
        assert wrong.code == 1
        assert "--exclude aom_alarm.twoo: the stack has no such resource" in wrong.err
        assert 'did you mean "aom_alarm.two"?' in wrong.err


def test_a_compact_plan_has_a_line_for_each_change(emulator: Emulator, tmp_path: Path) -> None:
    stack = write(tmp_path / "stack", "one", "two", endpoint=emulator.url)
    shown = reconciler("plan", stack, "--compact")
    assert "  + aom_alarm.one will be created: not firing yet\n  + aom_alarm.two will be created" in shown.out
    assert "event_severity" not in shown.out
    assert "event_severity" not in reconciler("plan", stack, "--compact", "--format", "markdown").out


def test_a_run_waits_for_the_lease_as_long_as_it_is_told(emulator: Emulator, tmp_path: Path) -> None:
    stack = write(tmp_path / "stack", "one", endpoint=emulator.url)
    assert reconciler("apply", stack, "--auto-approve").code == 0
    file = stack / ".reconciler" / "tests.db"
    held, free = Event(), Event()

    def hold() -> None:
        with (
            closing(open_ledger(file)) as ledger,
            leased(ledger, Owner("somebody", "elsewhere", 1), SystemClock(), Event()),
        ):
            held.set()
            free.wait(60)

    other = Thread(target=hold)
    other.start()
    try:
        assert held.wait(60)
        late = reconciler("destroy", stack, "--auto-approve", "--lock-timeout", "10ms")
        assert late.code == 5
        assert "Waiting for the lease on this stack: held by somebody on elsewhere" in late.err
        assert reconciler("ledger", "settle", stack, "--lock-timeout", "10ms").code == 5
        assert reconciler("apply", stack, "--lock-timeout", "soon").code == 1
    finally:
        free.set()
    assert reconciler("destroy", stack, "--auto-approve", "--lock-timeout", "1m").code == 0
    other.join()


@pytest.mark.parametrize("kind", KINDS)
def test_alerts_are_forgotten_and_raised_again_at_alertmanager(kind: str, tmp_path: Path) -> None:
    with target(kind, tmp_path / "servers") as servers:
        directory = tmp_path / "stack"
        directory.mkdir()

        def declare(*names: str) -> None:
            provider = {"endpoints": list(servers.urls), "visible_within": "1s"}
            alert = {"labels": {"severity": "critical"}, "timeout": "1h", "lifecycle": {"on_remove": "forget"}}
            resources = {"alertmanager_alert": dict.fromkeys(names, alert)}
            stack = {"stack": "shop", "providers": {"alertmanager": provider}, "resources": resources}
            (directory / "stack.yaml").write_text(json.dumps(stack))

        def firing() -> list[str]:
            return sorted(alert["labels"]["alertname"] for alert in servers.query('reconciler_stack="shop"'))

        declare("One", "Two")
        assert reconciler("apply", directory, "--auto-approve").code == 0
        done = reconciler("apply", directory, "--auto-approve", "--replace", "alertmanager_alert.One")
        assert done.out.endswith("Apply complete: 1 replaced.\n"), done.out + done.err
        declare("One")
        done = reconciler("apply", directory, "--auto-approve")
        assert done.out.endswith("Apply complete: 1 forgotten.\n"), done.out + done.err
        assert firing() == ["One", "Two"]
        assert "No changes." in reconciler("plan", directory).out
        two = next(
            line for line in reconciler("status", directory).out.splitlines() if "alertmanager_alert.Two" in line
        )
        assert two.rstrip().endswith("forgotten: left firing, no longer managed")
