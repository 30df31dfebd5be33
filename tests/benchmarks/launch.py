"""Launching: whole commands, and what they cost from their start to their end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks import launcher

_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
"""What commands see: that of a user's shell. Whoever keeps Python from writing bytecode would compile sources anew."""


class Cost(NamedTuple):
    """``seconds`` that passed, ``processor`` seconds of the command itself, and its peak ``memory`` in bytes."""

    seconds: float
    processor: float
    memory: int


def launch(command: Sequence[str | Path], directory: Path) -> Cost:
    """Run a command; RuntimeError with its words where it fails."""
    program = [sys.executable, "-I", "-S", str(launcher.__file__), *map(str, command)]
    ended = subprocess.run(program, cwd=directory, env=_ENVIRONMENT, capture_output=True, text=True, check=True)  # noqa: S603 - a command of ours
    *cost, code = json.loads(ended.stdout)
    if code:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {code}: {ended.stderr[-2000:]}")
    return Cost(*cost)
