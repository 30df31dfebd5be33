"""Annotations: diagnostics as workflow commands that GitHub Actions reads from a job's log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.core.diagnostic import Diagnostic
from reconciler.core.text import printable


def workflow_commands(diagnostics: Iterable[Diagnostic]) -> Iterator[str]:
    """One workflow command for each diagnostic."""
    for diagnostic in diagnostics:
        position = diagnostic.position
        properties = {"title": "reconciler"}
        if position is not None:
            properties = {"file": position.file, "line": str(position.line), "col": str(position.column), **properties}
        text = "\n".join(filter(None, (diagnostic.summary, diagnostic.hint and f"Hint: {diagnostic.hint}")))
        listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
        yield f"::{diagnostic.severity} {listed}::{_data(text)}"


def _data(text: str) -> str:
    """A message without characters that end the command; its lines are kept."""
    return "%0A".join(printable(line).replace("%", "%25") for line in text.split("\n"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
