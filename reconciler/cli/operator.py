"""The hooks of an apply or destroy at a terminal: show the plan, ask for approval, show progress and the result."""

from __future__ import annotations

from contextlib import AbstractContextManager
from itertools import chain
from threading import Event

from reconciler.app.apply import FailedRun, NotRun, apply_exit_code
from reconciler.app.errors import describe_error
from reconciler.apply.options import Progress
from reconciler.apply.result import Result
from reconciler.apply.settle import Settlement
from reconciler.cli.approval import check_approvable, is_approved
from reconciler.cli.command import ExitCode
from reconciler.cli.plan_output import show_plan
from reconciler.cli.progress import working
from reconciler.cli.reporter import RunReporter
from reconciler.cli.terminal import Format, Terminal
from reconciler.core.text import printable
from reconciler.plan.plan import Plan
from reconciler.session.other_stacks import OtherStacks
from reconciler.views.json.result import already_applied_document, result_document
from reconciler.views.markdown.result import others_markdown, result_markdown
from reconciler.views.phrases.plan import pointing
from reconciler.views.text.ledger import settlement_lines
from reconciler.views.text.line import line
from reconciler.views.text.result import others_lines, result_lines

ALREADY_APPLIED = "Already applied: every operation of this plan is done. Nothing was sent."


class TerminalOperator:
    """The hooks of ``apply`` and ``destroy`` for a person at the terminal; ``question`` asks for approval.

    Raises DiagnosticError before any service is queried if approval is needed and standard input is not a terminal.
    """

    def __init__(self, terminal: Terminal, question: str, format: Format, *, auto_approve: bool) -> None:
        self._terminal = terminal
        self._question = question
        self._format = format
        self._auto_approve = auto_approve
        if not auto_approve:
            _check_approvable(terminal, format)

    def settled(self, settlement: Settlement) -> None:
        self._terminal.message(settlement_lines(settlement))

    def review(self, plan: Plan) -> None:
        if self._format != Format.JSON:  # standard output has only the result's document
            show_plan(self._terminal, plan, self._format)

    def approve(self, plan: Plan) -> bool:  # it was just shown
        return self._auto_approve or _is_approved(self._terminal, self._question, plan)

    def working(self, stop: Event) -> AbstractContextManager[Progress]:
        return working(self._terminal, stop)


def show_result(
    terminal: Terminal,
    result: Result | FailedRun | NotRun,
    format: Format,
    reporter: RunReporter,
    plan: Plan | None = None,
    others: OtherStacks | None = None,
) -> ExitCode:
    """Write the result of an apply, and return its exit code.

    ``plan`` is the saved plan, if any; ``others`` are other stacks of the same ledger with active alarms.
    """
    if result is NotRun.INTERRUPTED:
        return ExitCode.INTERRUPTED
    if result is NotRun.DECLINED:
        terminal.message([line("Nothing was done.")])
        return ExitCode.ERROR
    if isinstance(result, NotRun):
        terminal.result(
            format,
            text=lambda: [line(ALREADY_APPLIED)],
            document=lambda: already_applied_document(plan.id if plan else "", ALREADY_APPLIED),
            markdown=lambda: f"{ALREADY_APPLIED}\n",
        )
        return ExitCode.DONE
    if isinstance(result, FailedRun):
        terminal.changed = result.result.may_have_sent
        try:
            _show(terminal, result.result, format, None)
        finally:
            terminal.report(describe_error(result.error).diagnostics)
            reporter.result(result.result)
        return apply_exit_code(result.result)
    terminal.changed = result.may_have_sent
    try:
        _show(terminal, result, format, others)
    finally:
        reporter.result(result)
    return apply_exit_code(result)


def _show(terminal: Terminal, result: Result, format: Format, others: OtherStacks | None) -> None:
    other_stacks = () if others is None else others_lines(others)
    after = "" if others is None else others_markdown(others)
    terminal.result(
        format,
        text=lambda: chain(result_lines(result, terminal.command, full=terminal.full), other_stacks),
        document=lambda: result_document(result, terminal.command, others),
        markdown=lambda: result_markdown(result, terminal.command) + after,
    )


def _check_approvable(terminal: Terminal, format: Format) -> None:
    reviewed = (
        "save a plan with `reconciler plan --out FILE`, have it reviewed, "
        "and apply exactly that with `reconciler apply FILE`"
    )
    check_approvable(terminal, format, preview="reconciler plan", reviewed=reviewed)


def _is_approved(terminal: Terminal, question: str, plan: Plan) -> bool:
    details = [line("  reconciler will do exactly what is shown above, at:")]
    details += [line(f"    {printable(text)}") for text in pointing(plan.targets)]
    return is_approved(terminal, question, details)
