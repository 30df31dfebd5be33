"""The stacks of a fleet on disk: those that globs match, or all below a directory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from reconciler.core.diagnostic import Diagnostic, DiagnosticError

_SUFFIXES = (".yaml", ".yml")
_NAMED = re.compile(rb"""^(\{\s*)?["']?stack["']?[ \t]*:""", re.MULTILINE)


def matching_stacks(root: Path, globs: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The stacks below a directory that globs match, in order, without those of globs that start with ``!``.

    Also returns the globs that match no stack. A directory is a stack if it has YAML files; errors in them are reported
    when the stack is opened.
    """
    found: dict[Path, None] = {}
    unmatched = []
    for pattern in (glob for glob in globs if not glob.startswith("!")):
        matched = [path for path in _glob(root, pattern) if any(yaml_files(path))]
        if not matched:
            unmatched.append(pattern)
        found.update(dict.fromkeys(matched))
    left_out = [glob[1:] for glob in globs if glob.startswith("!")]
    if found:
        unmatched += [f"!{glob}" for glob in left_out if not any(is_match(root, path, [glob]) for path in found)]
    return [path for path in found if not is_match(root, path, left_out)], unmatched


def is_match(root: Path, path: Path, globs: Sequence[str]) -> bool:
    """Whether globs select a stack."""
    taken = [glob for glob in globs if not glob.startswith("!")]
    left_out = [glob[1:] for glob in globs if glob.startswith("!")]
    name = PurePath(os.path.relpath(path, root)).as_posix()
    return any(_fits(name, glob) for glob in taken) and not any(_fits(name, glob) for glob in left_out)


def stacks_below(directory: Path) -> Iterator[Path]:
    """Every stack at or below a directory, sorted by name; hidden directories are skipped.

    Raises DiagnosticError if there is no stack, or no such directory.
    """
    if not directory.is_dir():
        raise DiagnosticError(Diagnostic(f"there is no directory {directory}"))
    count = 0
    for place, names, _ in os.walk(directory):
        names[:] = sorted(name for name in names if not name.startswith("."))
        if _names_a_stack(Path(place)):
            count += 1
            yield Path(place)
    if not count:
        hint = "a stack is a directory with *.yaml files that name it: stack: NAME"
        raise DiagnosticError(Diagnostic(f"there is no stack in {directory} or below it", hint=hint))


def yaml_files(path: Path) -> Iterator[Path]:
    """The YAML files of a directory, or the file itself."""
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.suffix in _SUFFIXES and not file.name.startswith(".") and file.is_file():
            yield file


def _names_a_stack(path: Path) -> bool:
    try:
        return any(_NAMED.search(file.read_bytes()) for file in yaml_files(path))
    except OSError:
        return True  # its unit reports that it cannot be read


def _glob(root: Path, pattern: str) -> list[Path]:
    """The paths that a pattern matches, except those in hidden directories."""
    if PurePath(pattern).is_absolute():
        return [Path(pattern)]
    if pattern in (".", "./"):
        return [root]
    if not any(char in pattern for char in "*?["):
        return [root / pattern]
    found = [path for path in sorted(root.glob(pattern)) if path.is_dir() or _names_a_stack(path)]
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts)]


def _fits(name: str, glob: str) -> bool:
    """Whether a relative path matches a pattern part by part; ``**`` matches any number of parts."""
    return _parts_fit(name.split("/"), PurePath(glob).as_posix().split("/"))


def _parts_fit(names: Sequence[str], globs: Sequence[str]) -> bool:
    if not globs:
        return not names
    if globs[0] == "**":
        return any(_parts_fit(names[skipped:], globs[1:]) for skipped in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], globs[0]) and _parts_fit(names[1:], globs[1:])
