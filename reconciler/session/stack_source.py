"""The files of a stack, read."""

from __future__ import annotations

from pathlib import Path

from reconciler.config.load import is_fleet_text, select_stack_files
from reconciler.config.yaml.source_map import Source
from reconciler.core.diagnostic import Diagnostic, DiagnosticError

CHECK_PATH = "check the path and its permissions"


FLEET_FILES = ("fleet.yaml", "fleet.yml")
"""The name of the fleet file in a directory."""


def is_fleet(path: Path) -> bool:
    """Whether a path is a fleet file and not a stack: such a file, or a directory without other YAML files."""
    if not path.is_dir():
        return path.name in FLEET_FILES or (path.is_file() and is_fleet_text(path.read_bytes()))
    files = [file.name for pattern in ("*.yaml", "*.yml") for file in path.glob(pattern) if file.name[0] != "."]
    return bool(files) and all(name in FLEET_FILES for name in files)


def read_sources(path: Path) -> tuple[list[Source], Path]:
    """The files of a stack, sorted by name, and their directory.

    Files of other tools in the directory are left out.
    """
    if path.is_dir():
        # Hidden files belong to other tools (.pre-commit-config.yaml).
        found = (file for pattern in ("*.yaml", "*.yml") for file in path.glob(pattern))
        files = sorted(file for file in found if file.is_file() and not file.name.startswith("."))
        if not files:
            hint = "name a directory with *.yaml or *.yml files, or create one with `reconciler init`"
            raise DiagnosticError(Diagnostic(f"there is no configuration in {path}", hint=hint))
        return select_stack_files([read_source(file) for file in files]), path
    return [read_source(path)], path.parent


def read_source(file: Path, option: str = "") -> Source:
    """Read one file as bytes. Raises DiagnosticError, which names the option, if it cannot be read."""
    try:
        return Source(str(file), file.read_bytes())
    except OSError as error:
        reason = error.strerror or str(error)
        raise DiagnosticError(
            Diagnostic(f"{option} {file} cannot be read: {reason}".lstrip(), hint=CHECK_PATH)
        ) from None
