"""Executions: from a plan to its result, under the stack's lease; what ``apply`` and ``destroy`` have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from reconciler.app.owner import owner
from reconciler.apply.executor import apply_plan
from reconciler.apply.lease import leased
from reconciler.apply.options import Options
from reconciler.apply.result import ApplyStatus, Result
from reconciler.cli.exit_code import ExitCode
from reconciler.cli.plans import show_plan
from reconciler.cli.progress import watching
from reconciler.cli.settling import settle_open, stoppable
from reconciler.cli.terminal import Format, Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.ledger.protocol import Ledger
from reconciler.plan.plan import Plan
from reconciler.session.workspace import Workspace
from reconciler.views.json.result import result_document
from reconciler.views.markdown.result import result_markdown
from reconciler.views.text.line import BLANK, Style, line
from reconciler.views.text.result import result_lines
from reconciler.views.text.settlement import settlement_lines


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for; ``question`` is what approval is asked for with."""

    command: str
    question: str
    format: Format
    auto_approve: bool
    force: bool
    options: Options


def check_approvable(terminal: Terminal, request: Request) -> None:
    """Raise DiagnosticError where nobody could answer the question, before any service is asked."""
    if request.auto_approve:
        return
    if request.format != Format.TEXT:
        hint = "add --auto-approve; `reconciler plan` shows beforehand what would be done"
        raise DiagnosticError(Diagnostic(f"--format {request.format} leaves no room for a question", hint=hint))
    if not terminal.interactive:
        hint = (
            "add --auto-approve; or save a plan with `reconciler plan --out FILE`, have it read, "
            "and apply exactly that with `reconciler apply FILE`"
        )
        raise DiagnosticError(Diagnostic("approval is needed, and standard input is no terminal", hint=hint))


def execute(
    terminal: Terminal, workspace: Workspace, request: Request, planned: Callable[[Ledger], Plan | None]
) -> ExitCode:
    """Take the lease, settle what is open, plan, ask, apply, and show what became of it.

    ``planned`` makes or checks the plan once everything is settled; None where it has been applied already.
    """
    ledger = workspace.open_ledger()
    stop = Event()
    with leased(ledger, owner(), workspace.clock, stop) as holder:
        terminal.tell(settlement_lines(settle_open(terminal, workspace, ledger, stop)))
        if stop.is_set():
            return ExitCode.INTERRUPTED
        plan = planned(ledger)
        if plan is None:
            return ExitCode.DONE
        _check(terminal, workspace, request, plan)
        if not plan.pending:
            now = workspace.clock.now()
            return _show(
                terminal, request, Result(plan, "", now, now, ApplyStatus.COMPLETE, {}, command=request.command)
            )
        if request.format != Format.JSON:  # whose one document holds the plan
            show_plan(terminal, plan, request.format)
        if not request.auto_approve and not _approved(terminal, request):
            terminal.tell([line("Nothing was done.")])
            return ExitCode.ERROR
        with stoppable(terminal, stop), watching(terminal) as progress:
            result = apply_plan(
                plan,
                workspace.providers,
                ledger,
                holder,
                clock=workspace.clock,
                stop=stop,
                command=request.command,
                options=request.options,
                progress=progress,
            )
    return _show(terminal, request, result)


def exit_code(result: Result) -> ExitCode:
    """What a script learns from a result."""
    if result.ending is ApplyStatus.INTERRUPTED:
        return ExitCode.INTERRUPTED
    if result.ending is ApplyStatus.COMPLETE and not result.remaining:
        return ExitCode.DONE
    return ExitCode.PARTIAL if result.may_have_sent else ExitCode.ERROR


def _check(terminal: Terminal, workspace: Workspace, request: Request, plan: Plan) -> None:
    """Raise DiagnosticError, the plan shown, where it may not be applied."""
    problems = plan.problems or (() if request.force else workspace.refusals(plan))
    if problems:
        if request.format != Format.JSON:
            show_plan(terminal, plan, request.format)
        raise DiagnosticError(*problems)


def _approved(terminal: Terminal, request: Request) -> bool:
    question = [
        BLANK,
        line((request.question, Style.BOLD)),
        line("  reconciler will do exactly what is shown above."),
        line("  Only 'yes' will be accepted to approve."),
        BLANK,
    ]
    return terminal.ask(question, "  Enter a value: ") == "yes"


def _show(terminal: Terminal, request: Request, result: Result) -> ExitCode:
    terminal.show(
        request.format,
        text=lambda: result_lines(result, terminal.command),
        document=lambda: result_document(result, terminal.command),
        markdown=lambda: result_markdown(result, terminal.command),
    )
    return exit_code(result)
