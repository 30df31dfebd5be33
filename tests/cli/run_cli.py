"""Runs the command inside the test's process: quick, and all but the process itself is real."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

from reconciler.cli.app import run
from reconciler.cli.terminal import Terminal


class Done(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


class Keyboard(io.StringIO):
    """Standard input with somebody before it."""

    def isatty(self) -> bool:
        return True


def reconciler(*arguments: str | Path, env: dict[str, str] | None = None, answers: str | None = None) -> Done:
    """Run ``reconciler ARGUMENTS``; with ``answers`` standard input is a terminal on which they are typed."""
    out, err = io.StringIO(), io.StringIO()
    stdin = io.StringIO() if answers is None else Keyboard(answers)
    code = run([*map(str, arguments)], Terminal(stdin, out, err, env or {}))
    return Done(code, out.getvalue(), err.getvalue())
