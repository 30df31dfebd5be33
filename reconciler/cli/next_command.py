"""The next command: printed so that it works as printed, with the stack and the variables of this one."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path


def next_command(
    words: str,
    stack: Path,
    *files: Path | str,
    var: Sequence[str] | None = None,
    var_file: Sequence[Path] | None = None,
) -> str:
    """``reconciler WORDS [STACK] [FILES] [--var-file F]... [--var N=V]...``, quoted for a shell."""
    places = [str(place) for place in (stack, *files) if place != Path()]
    options = [part for file in var_file or () for part in ("--var-file", str(file))]
    options += [part for text in var or () for part in ("--var", text)]
    return f"reconciler {words} {shlex.join([*places, *options])}".rstrip()
