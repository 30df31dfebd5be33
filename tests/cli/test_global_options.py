"""Shared options, and the parameters that keep their defaults unchecked."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import typer
from typer.core import TyperArgument, TyperOption

from reconciler.cli.app import COMMANDS, Commands
from reconciler.cli.global_options import LazyArgument, LazyOption

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_parameter_of_every_command_keeps_its_default_unchecked(name: str) -> None:
    command = Commands()[name]
    for each in (command, *getattr(command, "commands", {}).values()):
        assert all(isinstance(parameter, LazyOption | LazyArgument) for parameter in each.params)
        assert "log_level" in {parameter.name for parameter in each.params}


def test_typer_still_checks_a_parameter_in_the_method_that_is_overridden() -> None:
    assert "process_value" in dir(TyperOption)
    assert "process_value" in dir(TyperArgument)

    app = typer.Typer()

    @app.command()
    def count(number: int = 1) -> None:
        """Count."""

    (option, *_) = typer.main.get_command(app).params
    assert type(option) is TyperOption
    assert option.process_value(typer.Context(typer.main.get_command(app)), "7") == 7


def test_typer_has_an_upper_version_bound() -> None:
    dependencies = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]
    assert any(each.startswith("typer>=") and ",<" in each for each in dependencies)
