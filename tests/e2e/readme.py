"""Runs what the README of an example shows, and compares what it prints with what the README says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

EXAMPLES = Path(__file__).parents[2] / "examples"

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
_VARYING = ((re.compile(r"\b\d+(?:ms|s)\b"), "TIME"), (re.compile(r"\b\d{15,}\b"), "ID"), (re.compile(r" +"), " "))


class Step(NamedTuple):
    """A command line and what it prints."""

    command: str
    output: str


def steps(readme: str) -> list[Step]:
    """Every command of the ``console`` blocks, in order."""
    found = []
    for block in _BLOCK.findall(readme):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            found.append(Step(command, output.strip("\n")))
    return found


def played(example: str, directory: Path) -> list[tuple[Step, str]]:
    """Run the steps of an example's README in a copy of it; each step with what it printed."""
    copy = directory / example
    shutil.copytree(EXAMPLES / example, copy, ignore=shutil.ignore_patterns(".reconciler"))
    return run(steps((copy / "README.md").read_text(encoding="utf-8")), copy)


def run(shown: list[Step], directory: Path) -> list[tuple[Step, str]]:
    """Run steps in a directory, in one shell; each with what it printed."""
    marker = "=== the next command ==="
    # The exit code of a step is the next one's `$?`.
    script = "\n".join(f"{step.command}\nkept=$?; echo '{marker}'; (exit $kept)" for step in shown)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("RECONCILER_", "GITHUB_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(  # noqa: S603 - a command of ours
        ["bash", "-c", script],  # noqa: S607 - found as its user finds it
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    printed = done.stdout.split(f"{marker}\n")
    assert len(printed) == len(shown) + 1, done
    return [(step, output.strip("\n")) for step, output in zip(shown, printed, strict=False)]


def alike(text: str) -> str:
    """The text without what differs from run to run: how long things took, and ids."""
    for pattern, name in _VARYING:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.splitlines())
