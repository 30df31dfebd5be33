"""The files of a stack, read."""

from __future__ import annotations

from pathlib import Path

from reconciler.config.load import is_fleet_text, select_stack_files
from reconciler.config.yaml.source_map import Source
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Position

CHECK_PATH = "check the path and its permissions"


FLEET_FILES = ("fleet.yaml", "fleet.yml")
"""The name of the fleet file in a directory."""


def is_fleet(path: Path) -> bool:
    """Whether a path is a fleet file and not a stack: such a file, or a directory without other YAML files."""
    if not path.is_dir():
        return path.name in FLEET_FILES or (path.is_file() and is_fleet_text(path.read_bytes()))
    files = _yaml_files(path)
    return bool(files) and all(file.name in FLEET_FILES for file in files)


def _yaml_files(directory: Path) -> list[Path]:
    """The YAML files of a directory, sorted by name. Raises DiagnosticError if it cannot be read.

    Hidden files belong to other tools (.pre-commit-config.yaml).
    """
    try:
        files = sorted(directory.iterdir())
    except OSError as error:
        reason = error.strerror or str(error)
        raise DiagnosticError(Diagnostic(f"{directory} cannot be read: {reason}", hint=CHECK_PATH)) from None
    return [file for file in files if file.suffix in (".yaml", ".yml") and file.name[0] != "."]


def read_sources(path: Path) -> tuple[list[Source], Path]:
    """The files of a stack, sorted by name, and their directory.

    Files of other tools in the directory are left out.
    """
    if path.is_dir():
        files = [file for file in _yaml_files(path) if file.is_file()]
        if not files:
            hint = "name a directory with *.yaml or *.yml files, or create one with `reconciler init`"
            raise DiagnosticError(Diagnostic(f"there is no configuration in {path}", hint=hint))
        return select_stack_files([read_source(file) for file in files]), path
    return [read_source(path)], path.parent


def read_source(file: Path, option: str = "", position: Position | None = None) -> Source:
    """Read one file as bytes. If it cannot be read, raises DiagnosticError, which names the option, or the position at
    which a file names it.
    """
    try:
        return Source(str(file), file.read_bytes())
    except OSError as error:
        reason = error.strerror or str(error)
        raise DiagnosticError(
            Diagnostic(f"{option} {file} cannot be read: {reason}".lstrip(), position, CHECK_PATH)
        ) from None
