"""Alternatives: the tools we are compared with, in a virtual environment of their own."""

from __future__ import annotations

import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).parents[2]
CACHE = _ROOT / ".bench"
"""Where they are installed; git ignores it."""

_BIN = CACHE / "venv" / "bin"
_PATIENCE = 300
"""Seconds an installation may take."""


class MissingError(Exception):
    """An alternative cannot be had here; the text says why."""


@cache
def command(package: str, program: str) -> Path:
    """The path of a package's program, installed if it is not there yet. Raises MissingError."""
    path = _BIN / program
    if not path.exists():
        _install(CACHE / "venv", package)
    if not path.exists():
        raise MissingError(f"{package} has no program {program}")
    return path


@cache
def ours(extra: str | None = None) -> Path:
    """The path of our own program, installed from this tree as the others are: alone, with what it needs and no more,
    or with an extra.

    Raises MissingError.
    """
    name, suffix = ("ours", "") if extra is None else (f"ours-{extra}", f"[{extra}]")
    _install(CACHE / name, "--upgrade", "--force-reinstall", f"{_ROOT}{suffix}")
    return CACHE / name / "bin" / "reconciler"


def ours_at_hand() -> Path:
    """The path of our own program in the environment this runs in, development tools and all."""
    return Path(sys.executable).parent / "reconciler"


def _install(environment: Path, *arguments: str) -> None:
    python = environment / "bin" / "python"
    what = Path(arguments[-1]).name
    try:
        if not python.exists():
            venv.create(environment, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
        subprocess.run(pip, check=True, capture_output=True, text=True, timeout=_PATIENCE)  # noqa: S603 - a command of ours
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines() or ["no reason given"]
        raise MissingError(f"{what} cannot be installed: {last[-1]}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"{what} cannot be installed: {error}") from None


def version(program: Path, package: str) -> str:
    """A package's name and version, as installed beside ``program``."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    found = subprocess.run([str(program.parent / "python"), "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - a command of ours
    return f"{package} {found.stdout.strip()}"
