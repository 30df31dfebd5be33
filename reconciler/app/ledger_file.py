"""The ledger file: which one a user means."""

from __future__ import annotations

from pathlib import Path

from reconciler.core.diagnostic import Diagnostic, DiagnosticError


def find(where: Path, stack: str | None) -> Path:
    """The ledger of the stack at a path (a directory, a file of it, or a ledger itself); DiagnosticError where there is
    none, or more than one.
    """
    if where.suffix == ".db" and where.is_file():
        return where
    directory = (where if where.is_dir() else where.parent) / ".reconciler"
    found = [file for file in sorted(directory.glob("*.db")) if stack is None or file.stem == stack]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(file.stem for file in found)
        raise DiagnosticError(Diagnostic(f"{directory} holds the ledgers of several stacks", hint=f"--stack: {names}"))
    what = "no ledger" if stack is None else f"no ledger of the stack {stack}"
    raise DiagnosticError(
        Diagnostic(f"there is {what} in {directory}", hint="`reconciler apply` makes one when it first runs")
    )
