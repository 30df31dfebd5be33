"""Diagnostics: what is wrong, where, and what to do next."""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple


class Position(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Severity(StrEnum):
    """How serious a diagnostic is: an error stops the work, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Diagnostic(NamedTuple):
    """One problem, for its reader: what happened, where, and what to do next.

    ``source`` is the line of text at ``position``, shown with a caret; it is omitted if it could hold a secret.
    ``address`` is the object concerned, if any; ``repeated`` counts further instances with the same problem.
    """

    summary: str
    position: Position | None = None
    hint: str | None = None
    source: str | None = None
    address: str | None = None
    severity: Severity = Severity.ERROR
    repeated: int = 0

    @property
    def line(self) -> str:
        """What happened and what to do next, on one line."""
        return self.summary if self.hint is None else f"{self.summary} ({self.hint})"


class DiagnosticError(Exception):
    """Work cannot continue; carries every diagnostic found."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(d.summary for d in diagnostics))
        self.diagnostics = diagnostics

    @property
    def line(self) -> str:
        """Every problem with what to do next, on one line."""
        return "; ".join(diagnostic.line for diagnostic in self.diagnostics)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """``did you mean "x"?`` for a near miss, or None."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else None


NAME = "alarm-reconciler"


def install_command(extra: str) -> str:
    """The command that installs an extra, as a hint shows it."""
    return f"pip install '{NAME}[{extra}]'"


_KINDS = {"int": "an integer", "string": "text", "bool": "true or false", "list": "a list", "float": "a number"}


def expectation(finding: str) -> str:
    """A pydantic error about a field, in the words of this project."""
    if finding == "missing":
        return "is missing"
    if finding == "extra_forbidden":
        return "is not known"
    if finding in ("enum", "literal_error"):
        return "has an invalid value"
    kind, _, rule = finding.partition("_")
    return f"must be {_KINDS.get(kind, 'an object')}" if rule in ("type", "parsing") else "is not valid"
