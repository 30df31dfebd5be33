"""A unit of work by itself: no secret leaves it, its ledger, and what running it twice tells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reconciler.app.run_unit import run_unit
from reconciler.app.unit import Unit, UnitKind, UnitState, result_json
from tests.cli.stacks import write
from tests.emulator.handle import Emulator
from tests.servers.ports import free_port


def test_a_unit_that_an_engine_runs_twice_tells_what_it_did_the_first_time(tmp_path: Path, emulator: Emulator) -> None:
    unit = Unit(UnitKind.APPLY, str(write(tmp_path, "a", "b", endpoint=emulator.url)), since=1)
    first, again = run_unit(unit), run_unit(unit)
    assert (first.counts, first.repeated) == ({"create": 2}, False)
    assert (again.counts, again.repeated, again.run) == ({"push": 2}, True, first.run)
    later = run_unit(replace(unit, since=again.ended_at + 1))
    assert (later.counts, later.repeated, later.run) == ({"no-op": 2}, False, None)
    assert len(emulator.requests("push")) == 1


def test_no_secret_leaves_a_unit(tmp_path: Path) -> None:
    more = "variables: {where: {sensitive: true}}\n"
    stack = write(tmp_path, "a", endpoint="${var.where}", more=more)
    where = f"http://127.0.0.1:{free_port()}/hunter2hunter2"
    result = run_unit(Unit(UnitKind.PLAN, str(stack), variables={"where": where}))
    assert result.state is UnitState.FAILED
    assert "hunter2" not in result_json(replace(result, unit=replace(result.unit, variables={})))
    assert "(sensitive)" in result.diagnostics[0].summary


def test_the_ledger_of_a_fleet_may_name_a_variable_of_the_workers_environment(
    tmp_path: Path, emulator: Emulator
) -> None:
    stack = write(tmp_path / "stack", "a", endpoint=emulator.url)
    unit = Unit(UnitKind.APPLY, str(stack), ledger="${env.WHERE}/ledgers")
    assert run_unit(unit, environ={"WHERE": str(tmp_path)}).state is UnitState.DONE
    assert (tmp_path / "ledgers/tests.db").exists()
    (told,) = run_unit(unit, environ={}).diagnostics
    assert told.summary == "ledger: the environment variable WHERE is not set"


def test_variables_keep_their_types_and_win_over_files(tmp_path: Path, emulator: Emulator) -> None:
    fields = 'for_each: "${var.names}", event_severity: "${var.severity}", resource_provider: ecs, resource_type: vm'
    more = "variables: {severity: {}, names: {type: list}}\n"
    stack = write(tmp_path, f"a: {{{fields}, resource_id: r}}\n    b", endpoint=emulator.url, more=more)
    (tmp_path / "vars.txt").write_text("severity: Minor\nnames: [x]\n")
    unit = Unit(UnitKind.PLAN, str(stack), variables={"names": ["x", "y"]}, var_files=(str(tmp_path / "vars.txt"),))
    result = run_unit(unit)
    assert [change.address for change in result.changes] == ['aom_alarm.a["x"]', 'aom_alarm.a["y"]', "aom_alarm.b"]


def test_a_stack_that_is_not_there_is_a_result(tmp_path: Path) -> None:
    result = run_unit(Unit(UnitKind.PLAN, str(tmp_path / "nowhere")))
    assert result.state is UnitState.FAILED
    assert result.exit_code == 1
    assert "nowhere" in result.diagnostics[0].summary
