"""Alternatives: the tools we are compared with, in a virtual environment of their own."""

from __future__ import annotations

import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".bench"
"""Where they are installed; git ignores it."""

_BIN = CACHE / "venv" / "bin"
_PATIENCE = 300
"""Seconds an installation may take."""


class MissingError(Exception):
    """An alternative can't be had here; the text says why."""


@cache
def command(package: str, program: str) -> Path:
    """The path of a package's program, installed if it is not there yet. Raises MissingError."""
    path = _BIN / program
    if path.exists():
        return path
    try:
        if not (_BIN / "python").exists():
            venv.create(CACHE / "venv", with_pip=True)
        pip = [str(_BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]
        subprocess.run(pip, check=True, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines() or ["no reason given"]
        raise MissingError(f"{package} can't be installed: {last[-1]}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"{package} can't be installed: {error}") from None
    if not path.exists():
        raise MissingError(f"{package} has no program {program}")
    return path


def version(program: Path, package: str) -> str:
    """A package's name and version, as installed beside ``program``."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    found = subprocess.run([str(program.parent / "python"), "-c", code], capture_output=True, text=True, check=True)
    return f"{package} {found.stdout.strip()}"


def ours() -> Path:
    """The path of our own program, as it is installed."""
    return Path(sys.executable).parent / "reconciler"
