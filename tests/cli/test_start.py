"""What must hold before any work begins: quick imports, help, and misuse told as a diagnostic."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata

import pytest

from reconciler.cli.app import COMMANDS, Commands
from tests.cli.process import reconciler
from tests.cli.run_cli import reconciler as inside

HEAVY = ("requests", "deepdiff", "fastapi", "uvicorn", "pydantic", "jinja2", "ruamel", "sqlite3", "rich.console")


@pytest.mark.parametrize("arguments", [["version"], ["--help"], ["version", "--help"]])
def test_nothing_heavy_is_imported_to_say_who_we_are(arguments: list[str]) -> None:
    assert imported(arguments, HEAVY) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_loads_no_client_and_no_server(name: str) -> None:
    assert imported([name, "--help"], ("requests", "deepdiff", "fastapi", "uvicorn", "psycopg", "jinja2")) == []


def imported(arguments: list[str], names: tuple[str, ...]) -> list[str]:
    """Which of these modules a command line loads."""
    program = (
        "import sys; from reconciler.cli.app import run; run(sys.argv[1:]); "
        f"print(*[name for name in {names!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)  # noqa: S603 - a command of ours
    return done.stderr.splitlines()[-1].split()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_shows_the_first_line_of_each_help(name: str) -> None:
    assert str(Commands()[name].help).partition("\n")[0] == COMMANDS[name]


def test_version_tells_of_the_extras_and_their_versions() -> None:
    from reconciler import __version__

    first, python, *told = reconciler("version").stdout.splitlines()
    assert (first, python.split()[0]) == (f"reconciler {__version__}", "Python")
    assert any(re.match(r"extra postgres +psycopg \d", line) for line in told)
    extras = json.loads(reconciler("version", "--format", "json").stdout)["extras"]
    assert extras["server"]["installed"] is True
    assert set(extras["server"]["packages"]) == {"fastapi", "uvicorn", "httptools", "cryptography"}
    assert extras["emulator"] == extras["server"]
    assert "dev" not in extras


def test_an_extra_that_is_not_installed_is_told_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ['psycopg[binary]>=3.2; extra == "postgres"', 'no-such-package>=1; extra == "odd"', "requests>=2"]
    monkeypatch.setattr("reconciler.cli.version.metadata.requires", lambda _: wanted)
    lines = inside("version").out.splitlines()
    assert lines[2:] == [
        "extra odd          no-such-package not installed: pip install 'alarm-reconciler[odd]'",
        f"extra postgres     psycopg {metadata.version('psycopg')}",
    ]


def test_version_as_json_has_a_format_version() -> None:
    assert json.loads(reconciler("version", "--format", "json").stdout)["format_version"] == "1.1"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_says_what_it_does(name: str) -> None:
    done = reconciler(name, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: reconciler {name}")
    assert "--log-level" in done.stdout


def test_the_version_is_told_by_a_command_and_by_the_option_that_everybody_tries() -> None:
    asked, tried = reconciler("version"), reconciler("--version")
    assert tried.returncode == 0
    assert tried.stdout == asked.stdout.splitlines()[0] + "\n"


def test_without_arguments_the_help_is_shown() -> None:
    done = reconciler()
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["versio"], "Did you mean 'version'?"),
        (["version", "--nope"], "no such option: --nope"),
        (["version", "--format", "xml"], "error: invalid value for '--format': 'xml' is not one of"),
        (["apply", "--parallelism", "0"], "'--parallelism': it must be greater than or equal to 1\n"),
        (["plan", "--var"], "error: option '--var' requires an argument\n"),
        (["show"], "error: missing argument 'FILE|RUN'\n"),
    ],
)
def test_misuse_ends_in_a_diagnostic_and_exit_code_1(arguments: list[str], said: str) -> None:
    done = reconciler(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert "--help` shows the usage" in done.stderr


@pytest.mark.parametrize("group", [[], ["ledger"], ["drill"]])
def test_the_list_of_commands_cuts_no_sentence_off(group: list[str]) -> None:
    done = reconciler(*group, "--help", env={"COLUMNS": "100"})
    _, commands = done.stdout.split("Commands:\n")
    assert "..." not in commands


def test_a_fault_of_ours_is_one_line_and_its_detail_a_debug_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of\x1b cheese")

    monkeypatch.setattr("reconciler.cli.schema.schemas", fail)
    done = inside("schema")
    assert done.code == 1
    assert done.err.startswith("error: internal error: RuntimeError: out of\\x1b cheese\n")
    assert "Traceback" not in done.err
    assert "Traceback" in inside("schema", "--log-level", "debug").err
