"""The library: ``from reconciler import Stack``."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest

import reconciler
from reconciler import DiagnosticError, LeaseHeldError, Plan, Report, Result, ServiceError, Stack
from reconciler.apply.result import ApplyStatus
from reconciler.core.duration import MINUTE
from reconciler.ledger.sqlite import open_ledger
from tests.cli.run_cli import reconciler as command
from tests.cli.stacks import TOKEN, write
from tests.emulator.handle import Emulator

ROOT = Path(__file__).parents[2]
TEXT = """\
stack: tests
variables:
  hosts: {type: list, default: [a]}
  severity: {default: Major}
providers:
  aom: {endpoint: "${env.ENDPOINT}", project_id: p1, auth: {token: "${env.TOKEN}"}}
defaults:
  aom_alarm: {resource_provider: ecs, resource_type: vm, timeout: 30m}
resources:
  aom_alarm:
    one:
      for_each: "${var.hosts}"
      resource_id: "${each.value}"
      event_severity: "${var.severity}"
data: {aom_alarms: {firing: {}}}
checks:
  loud: {data: aom_alarms.firing, expect: {count: {at_least: 1}}}
  alive: {canary: {event_severity: Info}, within: 30s}
"""


def opened(emulator: Emulator, **options: object) -> Stack:
    return Stack.from_text(TEXT, environ={"ENDPOINT": emulator.url, "TOKEN": TOKEN}, **options)  # type: ignore[arg-type]


def test_a_text_is_planned_applied_checked_and_destroyed_without_a_file(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with opened(emulator, variables={"hosts": ["a", "b"], "severity": "Info"}) as stack:
        assert (stack.name, stack.addresses) == ("tests", ('aom_alarm.one["a"]', 'aom_alarm.one["b"]'))
        plan = stack.plan()
        assert [str(change.address) for change in plan.pending] == ['aom_alarm.one["a"]', 'aom_alarm.one["b"]']
        result = stack.apply(plan)
        assert (result.ending, result.remaining) == (ApplyStatus.COMPLETE, ())
        assert stack.plan().pending == ()
        assert [alarm.raised_by.run for alarm in stack.status().alarms if alarm.raised_by] == [result.run] * 2
        report = stack.check()
        assert (report.passed, len(report.results)) == (True, 2)
        assert stack.check("loud").passed
        assert stack.destroy().remaining == ()
    assert emulator.active_alarms() == []
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_plan_is_carried_out_once(emulator: Emulator) -> None:
    with opened(emulator) as stack:
        plan = stack.plan()
        stack.apply(plan)
        emulator.forget_requests()
        again = stack.apply(plan)
        assert (again.run, again.ending, again.remaining) == ("", ApplyStatus.COMPLETE, ())
        assert emulator.requests("push") == []


def test_a_plan_that_is_out_of_date_is_refused(emulator: Emulator) -> None:
    with opened(emulator) as stack:
        plan = stack.plan()
        stack.apply()
        stack.destroy()
        emulator.advance(MINUTE)
        stack.apply()
        with opened(emulator, variables={"severity": "Info"}) as other, pytest.raises(DiagnosticError):
            other.apply(plan)


def test_a_directory_shares_its_ledger_with_the_command(tmp_path: Path, emulator: Emulator) -> None:
    made = write(tmp_path / "stack", "one", "two", endpoint=emulator.url)
    assert command("apply", made, "--auto-approve", "--target", "aom_alarm.one").code == 0
    with Stack.open(made) as stack:
        assert [str(change.address) for change in stack.plan().pending] == ["aom_alarm.two"]
        run = stack.apply(targets=["aom_alarm.two"]).run
    assert run in command("ledger", "list", made).out
    with Stack.open(made / "stack.yaml", ledger=tmp_path / "ledgers") as elsewhere:
        elsewhere.destroy()
    assert (tmp_path / "ledgers" / "tests.db").is_file()


def test_addresses_are_left_out_and_raised_again(emulator: Emulator) -> None:
    with opened(emulator, variables={"hosts": ["a", "b"]}) as stack:
        a, b = stack.addresses
        assert [str(change.address) for change in stack.plan(exclude=[a]).pending] == [b]
        stack.apply(exclude=[a])
        assert [str(change.address) for change in stack.plan().pending] == [a]
        stack.apply()
        assert [(str(item.address), item.action) for item in stack.plan(replace=[b]).pending] == [(b, "replace")]
        assert stack.apply(replace=[b]).plan.counts["replace"] == 1
        stack.destroy(exclude=[b])
        assert [str(alarm.address) for alarm in stack.status().alarms if alarm.observed] == [b]
        with pytest.raises(DiagnosticError, match="the stack has no such resource"):
            stack.plan(exclude=["aom_alarm.nope"])
        for more in ({"exclude": [a]}, {"replace": [a]}):
            with pytest.raises(ValueError, match="applied as a whole"):
                stack.apply(stack.plan(), **more)


def test_what_is_wrong_rises_as_the_commands_tell_it(tmp_path: Path, emulator: Emulator) -> None:
    with pytest.raises(DiagnosticError, match="there is no configuration"):
        Stack.open(tmp_path)
    with pytest.raises(DiagnosticError, match="not an address"), opened(emulator) as stack:
        stack.plan(targets=["nonsense"])
    with opened(emulator) as stack, pytest.raises(ValueError, match="applied as a whole"):
        stack.apply(stack.plan(), targets=["aom_alarm.one"])
    emulator.fault("query:status=401")
    with opened(emulator) as stack, pytest.raises(ServiceError):
        stack.plan()


def test_a_held_lease_rises_with_its_holder(tmp_path: Path, emulator: Emulator) -> None:
    made = write(tmp_path / "stack", "one", endpoint=emulator.url)
    ledger = open_ledger(made / ".reconciler" / "tests.db")
    ledger.acquire("ada", "elsewhere", 4711, 1, 10**14)
    ledger.close()
    with Stack.open(made) as stack, pytest.raises(LeaseHeldError, match="ada on elsewhere"):
        stack.apply()


def test_another_thread_stops_a_run_without_losing_anything(emulator: Emulator) -> None:
    text = TEXT.replace("project_id:", "batch_size: 1, parallelism: 1, project_id:")
    emulator.fault("push:delay=500ms")
    environ = {"ENDPOINT": emulator.url, "TOKEN": TOKEN}
    hosts = [f"h{number}" for number in range(20)]
    with Stack.from_text(text, environ=environ, variables={"hosts": hosts}) as stack:
        results: list[Result] = []
        worker = Thread(target=lambda: results.append(stack.apply(verify=False)))
        worker.start()
        while not emulator.requests("push"):
            assert worker.is_alive()
        stack.stop()
        worker.join()
        assert results[0].ending is ApplyStatus.INTERRUPTED
        emulator.clear_faults()
        assert stack.apply().remaining == ()
        assert len(emulator.active_alarms()) == 20


def test_every_public_name_is_there_and_documented() -> None:
    page = (ROOT / "docs" / "library.md").read_text()
    for name in reconciler.__all__:
        assert getattr(reconciler, name) is not None
        assert name in dir(reconciler)
        assert name.startswith("_") or f"`{name}`" in page
    public = [name for name in vars(Stack) if not name.startswith("_")]
    assert [name for name in public if f".{name}" not in page] == []
    with pytest.raises(AttributeError, match="has no attribute 'stack_'"):
        _ = reconciler.stack_  # type: ignore[attr-defined]
    assert {Plan, Report, Result} <= {reconciler.Plan, reconciler.Report, reconciler.Result}
