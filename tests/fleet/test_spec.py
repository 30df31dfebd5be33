"""The fleet file: what is wrong with it is told at its place; which units it makes, with which variables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema_rs import Draft202012Validator
from ruamel.yaml import YAML

from reconciler.app.unit import UnitKind
from reconciler.core.diagnostic import DiagnosticError
from reconciler.fleet.fleet import Fleet, FleetRequest, open_fleet
from reconciler.fleet.spec import EnvironmentSpec, FleetSpec
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write_fleet

SCHEMA = Path(__file__).parents[2] / "schema/fleet.schema.json"
WHOLE = """\
fleet: shop
environments:
  staging: {variables: {region: eu, size: 2}, stacks: [stacks/a]}
  production: {variables: {region: eu}, var_files: [vars/production.yaml]}
waves:
  - {name: canary, environments: [staging], stop_on: failure}
  - {name: most, stacks: ["stacks/*", "!stacks/c"]}
ledger: ledgers
rate_limits: {"aom cn-north-4 0a1b": 20}
max_parallel: 4
max_failures: 3
deadline: 10m
"""


def write(root: Path, file: str) -> Path:
    return write_fleet(root, "https://aom.example.com", "a", "b", "c", file=file)


def problems(root: Path, file: str) -> list[str]:
    """What is wrong with a fleet file, each with line, column and hint."""
    with pytest.raises(DiagnosticError) as told:
        open_fleet([write(root, file)], FleetRequest(UnitKind.PLAN, 0))
    return [
        f"{found.position.line if found.position else 0}: {found.summary}" + (f" ({found.hint})" if found.hint else "")
        for found in told.value.diagnostics
    ]


def waves(fleet: Fleet) -> dict[str, list[str]]:
    return {wave.name: [unit.id.partition("stacks/")[2] for unit in wave.units] for wave in fleet.waves}


def test_a_whole_file_makes_units_with_variables_in_waves(tmp_path: Path) -> None:
    fleet = open_fleet([write(tmp_path, WHOLE)], FleetRequest(UnitKind.APPLY, 7, variables={"region": "us"}))
    assert (fleet.name, fleet.max_parallel, fleet.max_failures) == ("shop", 4, 3)
    assert waves(fleet) == {
        "canary": ["a@staging"],
        "most": ["a@production", "b@production"],
        "rest": ["c@production"],
    }
    first, second = fleet.due[:2]
    assert first.variables == {"region": "us", "size": 2}
    assert second.var_files == (str(tmp_path / "vars/production.yaml"),)
    assert first.ledger == str(tmp_path / "ledgers")
    assert (first.deadline, first.since, dict(first.rate_limits)) == (600_000, 7, {"aom cn-north-4 0a1b": 20})


def test_the_published_schema_takes_the_file_and_refuses_misspelled_keys() -> None:
    validator = Draft202012Validator(json.loads(SCHEMA.read_text()))
    whole = YAML(typ="safe", pure=True).load(f"stacks: [stacks/*]\n{WHOLE}")
    assert not list(validator.iter_errors(whole))
    assert list(validator.iter_errors({**whole, "wave": []}))
    assert list(validator.iter_errors({**whole, "waves": [{"name": "x", "stop_on": "failures"}]}))


def test_every_problem_is_told_at_its_place_with_a_hint(tmp_path: Path) -> None:
    file = "environments:\n  eu: {varables: {}}\nwaves:\n  - {name: x, enviroments: [eu]}\nmax_paralel: 3\n"
    assert problems(tmp_path, file) == [
        '3: unknown key "varables" in environments.eu (did you mean "variables"?)',
        '5: unknown key "enviroments" in waves.0 (did you mean "environments"?)',
        '6: unknown key "max_paralel" (did you mean "max_parallel"?)',
    ]


def test_names_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    file = "environments: {staging: }\nwaves:\n  - {name: x, environments: [stagin]}\n  - {name: x}\n"
    assert problems(tmp_path, f"{file}rate_limits: {{aom: 3}}\n") == [
        '4: there is no environment "stagin" (did you mean "staging"?)',
        '5: there are two waves called "x"',
        "6: rate_limits: 'aom' is not a target: expected TYPE PLACE or TYPE PLACE PROJECT "
        "(such as: aom cn-north-4 0a1b)",
    ]


def test_a_rate_limit_of_a_target_that_cannot_be_is_told(tmp_path: Path) -> None:
    assert problems(tmp_path, 'rate_limits: {"aomm cn-north-4 p1": 3}\n') == [
        '2: rate_limits: there is no provider type "aomm" (did you mean "aom"?)'
    ]
    assert problems(tmp_path, 'rate_limits: {"aom a.example.com p1": 3, "aom https://A.example.com/ p1": 3}\n') == [
        '2: rate_limits: "a.example.com" is neither a region nor a URL (write http:// or https:// before it, as the '
        "endpoint has it)",
        '2: rate_limits: no target is spelled "aom https://A.example.com/ p1" (write: aom https://a.example.com p1)',
    ]


def test_a_glob_that_matches_no_stack_is_told(tmp_path: Path) -> None:
    found = problems(tmp_path, "waves: [{name: x, stacks: [stacks/z]}]\n")
    assert [text.partition(" (")[0] for text in found] == ['2: "stacks/z" matches no stack']


def test_an_exclusion_that_matches_no_stack_is_told(tmp_path: Path) -> None:
    root = write(tmp_path, "")
    (root / "fleet.yaml").write_text('stacks: [stacks/*, "!stacks/z"]\n')
    with pytest.raises(DiagnosticError, match=r'^"!stacks/z" matches no stack'):
        open_fleet([root], FleetRequest(UnitKind.PLAN, 0))


@pytest.mark.parametrize("file", ['stacks: ["!stacks/a"]\n', 'stacks: [stacks/*, "!stacks/*"]\n'])
def test_a_fleet_of_which_all_stacks_are_excluded_is_an_error(tmp_path: Path, file: str) -> None:
    root = write(tmp_path, "")
    (root / "fleet.yaml").write_text(file)
    told = reconciler("validate", root / "fleet.yaml")
    assert (told.code, "stacks selects no stack" in told.err) == (1, True)


def test_a_list_of_exclusions_alone_is_told(tmp_path: Path) -> None:
    waves = 'waves: [{name: x, stacks: ["!stacks/a"]}]\n'
    found = problems(tmp_path, f'environments: {{eu: {{stacks: ["!stacks/a"]}}}}\n{waves}large: ["!stacks/a"]\n')
    assert [text.partition(" (")[0] for text in found] == [
        "2: stacks selects no stack",
        "3: stacks selects no stack",
        "4: large selects no stack",
    ]


def test_a_var_file_that_is_not_there_is_an_error_at_its_place(tmp_path: Path) -> None:
    root = write(tmp_path, "environments: {eu: {var_files: [eu.yaml]}}\n")
    told = reconciler("fleet", "plan", root)
    assert "--var-file" not in told.out
    assert "eu.yaml cannot be read: No such file or directory\n --> " in told.out
    assert "fleet.yaml:2:33" in told.out


def test_the_ledger_takes_no_expression_but_environment_variables(tmp_path: Path) -> None:
    assert problems(tmp_path, "ledger: ledgers/${var.region}\n") == [
        "2: ledger can contain no expression but ${env.NAME} (set an environment variable where the stacks run, and "
        "write ${env.NAME})"
    ]


def test_the_values_of_variables_and_the_ledger_are_never_quoted(tmp_path: Path) -> None:
    root = write(tmp_path, 'environments: {eu: {variables: {t-o: hunter2}}}\nledger: "redis://x:hunter2@h"\n')
    told = reconciler("fleet", "plan", root)
    assert told.code == 1
    assert "hunter2" not in told.out + told.err


def test_an_environment_that_is_not_there_is_told(tmp_path: Path) -> None:
    root = write(tmp_path, "environments: {staging: , production: }\n")
    told = reconciler("fleet", "plan", root, "--env", "prodution")
    assert 'there is no environment "prodution"' in told.err
    assert 'did you mean "production"?' in told.err
    told = reconciler("fleet", "plan", root / "stacks", "--env", "staging")
    assert "--env names an environment, and there is no fleet file" in told.err


def test_one_environment_is_worked_on_alone(tmp_path: Path) -> None:
    root = write(tmp_path, "environments: {staging: {variables: {x: 1}}, production: }\n")
    fleet = open_fleet([root], FleetRequest(UnitKind.PLAN, 0, environments=["production"]))
    assert waves(fleet) == {"": ["a@production", "b@production", "c@production"]}


def test_the_same_name_in_two_environments_is_a_warning(tmp_path: Path) -> None:
    fleet = open_fleet([write(tmp_path, "environments: {x: , y: }\n")], FleetRequest(UnitKind.PLAN, 0))
    assert len(fleet.warnings) == 3
    assert "has the same name in x, y" in fleet.warnings[0].summary


def test_a_file_that_cannot_be_read_does_not_stop_the_other_stacks(tmp_path: Path) -> None:
    root = write(tmp_path, "environments: {x: , y: }\n")
    (root / "stacks/a/broken.yaml").symlink_to("nowhere.yaml")
    assert waves(open_fleet([root], FleetRequest(UnitKind.PLAN, 0))) == {
        "": [f"{name}@{environment}" for environment in "xy" for name in "abc"]
    }


def test_directories_are_searched_for_stacks_and_other_files_are_left_alone(tmp_path: Path) -> None:
    root = write(tmp_path, "")
    (root / "fleet.yaml").unlink()
    (root / "stacks/.hidden").mkdir()
    (root / "stacks/.hidden/stack.yaml").write_text("stack: hidden\n")
    (root / "deploy").mkdir()
    (root / "deploy/jobs.yaml").write_text("include: x\nvariables: {}\n")
    assert waves(open_fleet([root], FleetRequest(UnitKind.PLAN, 0))) == {"": ["a", "b", "c"]}
    with pytest.raises(DiagnosticError, match="there is no stack in"):
        open_fleet([root / "deploy"], FleetRequest(UnitKind.PLAN, 0))


def test_validate_and_fmt_know_a_fleet_file(tmp_path: Path) -> None:
    root = write(tmp_path, WHOLE)
    (root / "vars").mkdir()
    assert reconciler("validate", root).out == "Valid. The fleet shop has 3 stacks, 2 environments and 2 waves.\n"
    found = json.loads(reconciler("validate", root / "fleet.yaml", "--format", "json").out)
    assert (found["fleet"], found["stacks"], found["error_count"]) == ("shop", 3, 0)
    assert reconciler("fmt", root, "--check").code == 0
    (root / "fleet.yaml").write_text("stacks:   [stacks/*]\n")
    assert reconciler("fmt", root, "--check").code == 3


def test_the_page_of_fleets_has_every_key_of_the_file() -> None:
    keys = {*FleetSpec.model_fields, *(f"environments.NAME.{name}" for name in EnvironmentSpec.model_fields)}
    page = SCHEMA.parents[1] / "docs/fleet.md"
    assert set(re.findall(r"^\| `([A-Za-z_.]+)` \|", page.read_text(), re.MULTILINE)) == keys


def test_a_fleet_file_beside_a_stack_is_no_part_of_it(tmp_path: Path) -> None:
    root = write(tmp_path, "")
    (root / "stack.yaml").write_text((root / "stacks/a/stack.yaml").read_text())
    assert reconciler("validate", root).out.startswith("Valid. The stack a declares 1 alarm")
