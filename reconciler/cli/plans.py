"""Plans at the edges: shown, saved to a file, read back."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from reconciler import __version__
from reconciler.cli.clock import now
from reconciler.cli.terminal import Format, Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import format_instant
from reconciler.plan.plan import Plan
from reconciler.views.phrases.plan import deadline
from reconciler.views.printable import printable
from reconciler.views.text.line import Style, line
from reconciler.views.text.plan import plan_lines


def show_plan(terminal: Terminal, plan: Plan, format: Format) -> None:
    """Write a plan as a command's result."""

    def document() -> Mapping[str, object]:
        from reconciler.views.json.plan import plan_document  # imported only for who wants it, as is Markdown

        return plan_document(plan)

    def markdown() -> str:
        from reconciler.views.markdown.plan import plan_markdown

        return plan_markdown(plan)

    terminal.show(format, text=lambda: plan_lines(plan), document=document, markdown=markdown)


def show_saved(terminal: Terminal, path: Path, format: Format) -> None:
    """Write a saved plan, and until when it can be applied."""
    plan = load(path)
    show_plan(terminal, plan, format)
    until = deadline(plan, now())
    if until is not None and format != Format.JSON:  # whose document has it as send_by
        terminal.show(format, text=lambda: [line(until)], markdown=lambda: f"\n{until}\n")


def save(terminal: Terminal, plan: Plan, path: Path, stack: Path) -> None:
    """Write a plan to a file, whole or not at all, readable by its owner only; say how to apply it to the stack at
    ``stack``.
    """
    from reconciler.cli.files import replace_text
    from reconciler.plan.file import dump_plan  # its models take 0.1 s to build

    text = dump_plan(plan, __version__)
    try:
        replace_text(path, text)
    except OSError as error:
        hint = "check the path, and who may write there"
        raise DiagnosticError(Diagnostic(f"the plan can't be saved to {path}: {error.strerror}", hint=hint)) from None
    until = f", until {format_instant(plan.send_by)}" if plan.send_by is not None else ""
    places = [path] if stack == Path() else [stack, path]
    command = shlex.join(["reconciler", "apply", *map(str, places)])
    terminal.tell([line(f"Saved. To apply exactly this plan{until}: ", (printable(command), Style.BOLD))])


def load(path: Path) -> Plan:
    """Read a saved plan; DiagnosticError where it is none, or was altered."""
    from reconciler.plan.file import parse_plan

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        hint = "check the path; `reconciler plan --out FILE` saves a plan, `reconciler ledger list` names past runs"
        raise DiagnosticError(Diagnostic(f"{path} can't be read: {error.strerror}", hint=hint)) from None
    except UnicodeDecodeError:
        hint = "make one with reconciler plan --out FILE"
        raise DiagnosticError(Diagnostic(f"{path} is not a saved plan: it is not text", hint=hint)) from None
    return parse_plan(text, str(path))
