"""``reconciler schema``, and the files of ``schema/`` it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema_rs import Draft202012Validator, meta

from tests.cli.run_cli import reconciler
from tests.cli.stacks import write

PUBLISHED = Path(__file__).parents[2] / "schema"


def test_the_published_files_are_what_the_command_writes(tmp_path: Path) -> None:
    assert reconciler("schema", "--out", tmp_path).code == 0
    written = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert written
    for name, text in written.items():
        assert (PUBLISHED / name).read_text() == text, f"{name} is out of date: run `make schema`"


@pytest.mark.parametrize("name", ["stack", "plan"])
def test_a_published_schema_is_a_schema(name: str) -> None:
    meta.validate(json.loads((PUBLISHED / f"{name}.schema.json").read_text()))


def test_the_stack_schema_is_shown_where_no_directory_is_given() -> None:
    assert json.loads(reconciler("schema").out) == json.loads((PUBLISHED / "stack.schema.json").read_text())


def test_a_saved_plan_is_valid_by_its_schema(tmp_path: Path) -> None:
    stack, saved = write(tmp_path / "stack", "one", "two"), tmp_path / "plan.json"
    assert reconciler("plan", stack, "--out", saved).code == 0
    schema = json.loads((PUBLISHED / "plan.schema.json").read_text())
    Draft202012Validator(schema).validate(json.loads(saved.read_text()))
