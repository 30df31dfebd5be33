"""``reconciler show``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reconciler.app.ledger import past_run
from reconciler.app.planfiles import load_plan
from reconciler.cli import completers
from reconciler.cli.command import ExitCode, command_app, examples
from reconciler.cli.ledger_place import find_ledger
from reconciler.cli.options import FormatOption, FullOption, StackOption, WhereArgument
from reconciler.cli.plan_output import show_plan
from reconciler.cli.terminal import Format, Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.system_clock import now
from reconciler.views.json.ledger import run_document
from reconciler.views.markdown.result import run_markdown
from reconciler.views.phrases.plan import deadline
from reconciler.views.text.ledger import entry_lines
from reconciler.views.text.line import line

app = command_app()


@app.command(
    epilog=examples(
        "reconciler show plan.json",
        "reconciler show plan.json --format markdown",
        "reconciler show 1a2b3c stacks/checkout",
    )
)
def show(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|RUN",
            autocompletion=completers.runs,
            help="A plan saved with `reconciler plan --out FILE`; or the id of a run, or a prefix of it; or the "
            "`reconciler_run` of an alarm.",
        ),
    ],
    where: WhereArgument = ".",
    stack: StackOption = None,
    format: FormatOption = Format.TEXT,
    full: FullOption = False,  # noqa: ARG001  # its callback tells the terminal
) -> ExitCode:
    """Show a saved plan or a past run.

    A plan is shown with the time at which it expires. A plan file that was altered after it was saved is
    refused. Runs come from the ledger: what was sent, and what the service answered.
    """
    terminal = Terminal.of(ctx)
    if Path(what).exists() or Path(what).suffix or len(Path(what).parts) > 1:
        _show_saved(terminal, Path(what), format)
        return ExitCode.DONE
    if not _is_run(what):
        hint = "`reconciler plan --out FILE` saves a plan; `reconciler ledger list` names past runs"
        summary = f"{what} is neither a file nor a run id (hexadecimal digits)"
        raise DiagnosticError(Diagnostic(summary, hint=hint))

    found = past_run(what, find_ledger(terminal, where, stack), now())
    terminal.result(
        format,
        text=lambda: entry_lines(*found),
        document=lambda: run_document(*found),
        markdown=lambda: run_markdown(*found),
    )
    return ExitCode.DONE


def _is_run(text: str) -> bool:
    """Whether a text that does not name a file can be a run id or its prefix."""
    return bool(text) and set(text) <= set("0123456789abcdef")


def _show_saved(terminal: Terminal, path: Path, format: Format) -> None:
    """Write a saved plan, and until when it can be applied."""
    plan = load_plan(path)
    show_plan(terminal, plan, format)
    until = deadline(plan, now())
    if until is not None and format != Format.JSON:  # its document has it as send_by
        terminal.result(format, text=lambda: [line(until)], markdown=lambda: f"\n{until}\n")
