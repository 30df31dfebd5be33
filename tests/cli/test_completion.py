"""``reconciler completion``, in real shells."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from typer._click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from tests.cli.run_cli import reconciler
from tests.cli.stacks import write

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
MORE = """\
data: {aom_alarms: {firing: {}}}
checks:
  quiet: {data: aom_alarms.firing, expect: {count: 0}}
  quick: {data: aom_alarms.firing, expect: {count: 0}}
drills:
  outage:
    steps:
    - {at: 0s, check: [quiet]}
"""
PATIENCE_S = 60.0


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: a stack with a for_each, checks, a drill and a past run."""
    made = write(tmp_path / "stack", "disk_full", more=MORE)
    text = (made / "stack.yaml").read_text()
    many = text.replace("    disk_full: {", '    latency: {for_each: [a, b], resource_id: "${each.value}", ').replace(
        "resource_id: r1, ", "", 1
    )
    alarm = next(line for line in many.splitlines() if "latency:" in line)
    (made / "stack.yaml").write_text(text.replace("resources:\n  aom_alarm:\n", f"resources:\n  aom_alarm:\n{alarm}\n"))
    monkeypatch.chdir(made)
    return made


def completed(*words: str, of: str = "bash") -> list[str]:
    done = reconciler("completion", of, "--", *words)
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["va"], ["validate"]),
        (["plan", "--detailed"], ["--detailed-exitcode"]),
        (["plan", "--format", "m"], ["markdown"]),
        (["plan", "--target", "aom_alarm.d"], ["aom_alarm.disk_full"]),
        (["plan", "--target", "=", "aom_alarm.d"], ["aom_alarm.disk_full"]),
        (["plan", "--exclude", "aom_alarm.d"], ["aom_alarm.disk_full"]),
        (["destroy", "--exclude", "aom_alarm.d"], ["aom_alarm.disk_full"]),
        (["apply", "--replace", "aom_alarm.d"], ["aom_alarm.disk_full"]),
        (["apply", "--target", 'aom_alarm.latency\\[\\"a'], ['aom_alarm.latency\\[\\"a\\"\\]']),
        (["apply", "--target", "'aom_alarm.latency["], ['aom_alarm.latency["a"]', 'aom_alarm.latency["b"]']),
        (["drill", "run", ""], ["outage"]),
        (["check", "qui"], ["quiet", "quick"]),
        (["check", "quiet", "quic"], ["quick"]),
        (["import", "--provider", ""], ["aom"]),
        (["plan", ""], [":files"]),
        (["plan", "--out", ""], [":files"]),
        (["show", ""], [":files"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_word_is_completed_with_what_the_stack_declares(stack: Path, words: list[str], expected: list[str]) -> None:
    assert completed(*words) == expected


def test_another_directory_that_was_named_is_the_stack(stack: Path, tmp_path: Path) -> None:
    write(tmp_path / "other", "other_alarm")
    assert completed("plan", str(tmp_path / "other"), "--target", "") == ["aom_alarm.other_alarm"]


def test_the_environments_of_a_fleet_are_completed(stack: Path) -> None:
    (stack / "fleet.yaml").write_text("stacks: ['.']\nenvironments: {staging: , production: }\n")
    assert completed("fleet", "plan", "--env", "p") == ["production"]
    assert completed("fleet", "dr") == ["drift"]


def test_past_runs_are_completed_with_what_they_were(stack: Path) -> None:
    reconciler("apply", stack, "--auto-approve")
    (run,) = json.loads(reconciler("ledger", "list", stack, "--format", "json").out)["runs"]
    assert completed("show", run["id"][:3]) == [run["id"]]
    (line,) = completed("ledger", "show", "", of="zsh")
    assert line.startswith(f"{run['id']}\tapply 2")


def test_a_configuration_that_is_wrong_completes_nothing_and_says_nothing(stack: Path) -> None:
    (stack / "stack.yaml").write_text("stack: [")
    assert completed("plan", "--target", "") == [":files"]


def typed(shell: list[str], setup: str, line: str, expected: str) -> str:
    """What a shell on a terminal shows after a line is typed, once it shows what is expected."""
    pid, descriptor = pty.fork()
    if pid == 0:  # pragma: no cover  # the child becomes the shell
        environ = {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "TERM": "dumb",
            "HOME": "/nonexistent",
            "PS1": "> ",
        }
        os.execvpe(shell[0], shell, environ)  # noqa: S606 - a command of ours
    shown = ""

    def until(text: str) -> None:
        nonlocal shown
        deadline = time.monotonic() + PATIENCE_S
        while text not in shown:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} is not shown: {shown!r}"
            if select.select([descriptor], [], [], left)[0]:
                shown += os.read(descriptor, 65_536).decode(errors="replace")

    try:
        os.write(descriptor, f"{setup}; echo set''up\n".encode())
        until("setup")
        shown = ""
        os.write(descriptor, line.encode())
        until(expected)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(descriptor)
    return shown


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("reconciler plan --target aom_alarm.d\t", "aom_alarm.disk_full"),
        ("reconciler plan --target=aom_alarm.d\t", "--target=aom_alarm.disk_full"),
        ("reconciler plan --target 'aom_alarm.latency[\"a\t", "'aom_alarm.latency[\"a\"]'"),
        ("reconciler drill run o\t", "reconciler drill run outage"),
        ("reconciler plan stack.y\t", "reconciler plan stack.yaml"),
    ],
)
def test_bash_completes_at_the_key(stack: Path, line: str, expected: str) -> None:
    bash = ["bash", "--norc", "--noprofile", "-i"]
    setup = "bind 'set enable-bracketed-paste off'; source <(reconciler completion bash)"
    assert "Traceback" not in typed(bash, setup, line, expected)


@pytest.fixture(scope="module")
def shells() -> tuple[str, str]:
    """The programs of zsh and fish."""
    found = subprocess.run([ROOT / ".ci" / "shells"], capture_output=True, text=True, check=True, timeout=600)  # noqa: S603 - a command of ours
    zsh, fish = found.stdout.split()
    return zsh, fish


def test_zsh_reads_its_script_and_completes_at_the_key(stack: Path, shells: tuple[str, str], tmp_path: Path) -> None:
    zsh, _ = shells
    script = tmp_path / "_reconciler"
    script.write_text(reconciler("completion", "zsh").out)
    subprocess.run([zsh, "-n", script], check=True, timeout=60)  # noqa: S603 - a command of ours
    setup = f"autoload -U compinit; compinit -u -D; source {script}"
    typed([zsh, "-f", "-i"], setup, "reconciler plan --target aom_alarm.d\t", "aom_alarm.disk_full")


def test_fish_reads_its_script_and_completes(stack: Path, shells: tuple[str, str], tmp_path: Path) -> None:
    _, fish = shells
    script = tmp_path / "reconciler.fish"
    script.write_text(reconciler("completion", "fish").out)
    subprocess.run([fish, "--no-execute", script], check=True, timeout=60)  # noqa: S603 - a command of ours

    def asked(line: str) -> list[str]:
        command = f"source {script}; complete -C '{line}'"
        environ = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
        done = subprocess.run(  # noqa: S603 - a command of ours
            [fish, "--no-config", "-c", command], env=environ, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout.splitlines()

    assert asked("reconciler plan --target aom_alarm.d") == ["aom_alarm.disk_full\taom"]
    assert sorted(asked("reconciler check qui")) == ["quick\tcheck", "quiet\tcheck"]
    assert "stack.yaml" in "".join(asked("reconciler plan st"))


def test_the_private_completion_of_typer_still_has_what_the_command_uses() -> None:
    assert split_arg_string("apply 'half a wo") == ["apply", "half a wo"]
    assert {"get_completions", "source_vars", "get_completion_args", "format_completion"} <= set(dir(ShellComplete))
    item = CompletionItem("apply", help="Carry out a plan.")
    assert (item.type, item.value, item.help) == ("plain", "apply", "Carry out a plan.")


def test_the_versions_of_the_private_completion_have_an_upper_bound() -> None:
    [bound] = [
        item
        for item in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
        if item.startswith("typer")
    ]
    assert "<" in bound
