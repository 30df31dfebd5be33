"""Loading in tests: texts in, a stack or rendered diagnostics out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from reconciler.config.load import load_stack
from reconciler.config.stack import Inputs, StackConfig
from reconciler.config.yaml.source_map import Source
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from tests.config.catalog import CATALOG

HEAD = """\
stack: demo
providers: {horn: {endpoint: embedded, auth: {token: a-secret-token}}}
"""
"""Two lines that make what follows a stack."""


def load(
    text: str | bytes,
    *,
    var: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    sections: Collection[str] = (),
) -> StackConfig:
    """A stack of one file called stack.yaml."""
    source = Source("stack.yaml", text.encode() if isinstance(text, str) else text)
    var_files = tuple(Source(name, body.encode()) for name, body in (files or {}).items())
    inputs = Inputs(var or {}, var_files, environ or {})
    return load_stack([source], Path("/stack"), CATALOG, inputs, sections=sections)


def problems(text: str | bytes, **kwargs: object) -> list[Diagnostic]:
    """What is wrong with a stack of one file; AssertionError if nothing is."""
    try:
        load(text, **kwargs)  # type: ignore[arg-type]  # handed through
    except DiagnosticError as error:
        return list(error.diagnostics)
    raise AssertionError("it has no problems")


def told(text: str | bytes, **kwargs: object) -> list[str]:
    """The problems as ``line:column summary (hint)``."""
    return [rendered(found) for found in problems(text, **kwargs)]


def rendered(found: Diagnostic) -> str:
    where = f"{found.position.line}:{found.position.column} " if found.position else ""
    if found.position and found.position.file != "stack.yaml":
        where = f"{found.position} "
    return f"{where}{found.summary}" + (f" ({found.hint})" if found.hint else "")
