"""Usage errors: what is wrong with a command line, as diagnostics and an exit code."""

from __future__ import annotations

from typer.exceptions import TyperException

from reconciler.app.errors import Failure
from reconciler.core.diagnostic import Diagnostic


def usage_error(error: TyperException) -> Failure:
    """Tell what is wrong with a command line."""
    ctx = getattr(error, "ctx", None)
    command = ctx.command_path if ctx is not None else "reconciler COMMAND"
    summary = error.format_message().replace("Value error, ", "").replace("Input should be", "it must be")
    summary = summary[:1].lower() + summary[1:].removesuffix(".")
    return Failure((Diagnostic(summary, hint=f"`{command} --help` shows what it takes"),))
