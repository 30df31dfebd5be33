"""The approval prompt of commands that push, clear or remove."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.cli.terminal import Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.views.text.line import BLANK, Line, Style, line


def check_approvable(
    terminal: Terminal, format: str, *, preview: str, reviewed: str | None = None, option: str = "--auto-approve"
) -> None:
    """Raise DiagnosticError if no one can answer the prompt, before any service is queried.

    ``preview`` is the command that shows what would be done, ``reviewed`` says how to apply a saved plan, ``option``
    approves without a prompt.
    """
    hint = f"add {option}; `{preview}` shows beforehand what would be done"
    if format != "text":
        raise DiagnosticError(Diagnostic(f"--format {format} cannot ask for approval", hint=hint))
    if not terminal.interactive:
        hint = hint if reviewed is None else f"add {option}; or {reviewed}"
        raise DiagnosticError(Diagnostic("approval is needed, and standard input is not a terminal", hint=hint))


def is_approved(terminal: Terminal, question: str, details: Iterable[Line] = ()) -> bool:
    """Prompt, and return whether the answer is yes; ``details`` say what will happen, and where."""
    shown = [
        BLANK,
        line((question, Style.BOLD)),
        *details,
        line("  Only 'yes' will be accepted to approve."),
        BLANK,
    ]
    return terminal.ask(shown, "  Enter a value: ") == "yes"
