"""Runs the command as a process of its own, as a user's shell does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO


def reconciler(
    *arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``reconciler ARGUMENTS``; ``env`` is added to an environment without variables of ours."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("RECONCILER_", "GITHUB_"))}
    clean.pop("NO_COLOR", None)
    return subprocess.run(  # noqa: S603 - a command of ours
        [sys.executable, "-m", "reconciler", *map(str, arguments)],
        cwd=cwd,
        env=clean | (env or {}),
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def read_until(stream: IO[str] | None, text: str, unless: str | None = None) -> None:
    """Read lines of a running command until one has this text; fails if it ends before, or comes to ``unless``."""
    assert stream is not None
    while text not in (line := stream.readline()):
        assert line, f"ended without {text}"
        assert unless is None or unless not in line, line
