"""Reports outside of the terminal: webhooks, a metrics file, OpenTelemetry traces."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Concatenate, NamedTuple, ParamSpec

import typer

from reconciler.app.trigger import FAILURES, Trigger, WebhookFormat
from reconciler.cli.terminal import Terminal
from reconciler.core.system_clock import now

if TYPE_CHECKING:
    from reconciler.app.check_states import CheckStates
    from reconciler.app.status import StackStatus
    from reconciler.app.webhook import RunEvent
    from reconciler.apply.result import Result
    from reconciler.checks.result import Report
    from reconciler.core.origin import Origin
    from reconciler.drill.record import Record
    from reconciler.plan.plan import Plan
    from reconciler.session.workspace import Workspace
    from reconciler.views.metrics import Sample

_log = logging.getLogger(__name__)

URLS = "RECONCILER_NOTIFY"
"""Webhooks, separated by white space, if ``--notify`` names none: command lines should not contain tokens."""
TOKEN = "RECONCILER_NOTIFY_TOKEN"  # noqa: S105 - the name of a variable
"""The bearer token sent to every webhook."""

NotifyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--notify",
        metavar="URL",
        help="Notify this webhook of the outcome; may be repeated. By default those in RECONCILER_NOTIFY.",
        show_default=False,
    ),
]
NotifyFormatOption = Annotated[
    WebhookFormat,
    typer.Option("--notify-format", help="What is posted: a JSON document, text for Slack, or a CloudEvent."),
]
NotifyOnOption = Annotated[
    list[Trigger] | None,
    typer.Option(
        "--notify-on",
        help="Which outcomes to notify of; may be repeated. All but `done` by default.",
        show_default=False,
    ),
]
MetricsOption = Annotated[
    Path | None,
    typer.Option(
        "--metrics",
        metavar="FILE",
        help="Write metrics to this file, for the textfile collector of node_exporter.",
        show_default=False,
    ),
]


class Outlets(NamedTuple):
    """Where a command reports what happened, by its options."""

    notify: Sequence[str] | None = None
    format: WebhookFormat = WebhookFormat.JSON
    on: Sequence[Trigger] | None = None
    metrics: Path | None = None


_P = ParamSpec("_P")


def _harmless(
    method: Callable[Concatenate[RunReporter, _P], None],
) -> Callable[Concatenate[RunReporter, _P], None]:
    """Convert any error while reporting to a warning."""

    @wraps(method)
    def call(self: RunReporter, /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the run is over, and what became of it stands
            _log.debug("telling failed", exc_info=error)
            self._warn([f"cannot report how it ended: {type(error).__name__}: {error}"])

    return call


def _checked(terminal: Terminal, urls: Sequence[str]) -> tuple[str, ...]:
    """The URLs of webhooks, each once; from now on nothing shows their secrets. DiagnosticError for a wrong one."""
    from reconciler.app.webhook import check_url, secrets_of

    for url in urls:
        terminal.redact(secrets_of(url))
    return tuple(dict.fromkeys(map(check_url, urls)))


class RunReporter:
    """Reports what happened in a command; errors in it never change how the command ends.

    With ``only_changes``, for a command that runs repeatedly, an event equal to the last one of its stack is not sent
    again.
    """

    def __init__(
        self, terminal: Terminal, command: str, where: Path, outlets: Outlets, *, only_changes: bool = False
    ) -> None:
        urls = outlets.notify or terminal.environ.get(URLS, "").split()
        self._urls = _checked(terminal, urls) if urls else ()
        self._token = terminal.environ.get(TOKEN) or None
        if self._token:
            terminal.redact([self._token])
        self._terminal = terminal
        self._trace = terminal.telemetry
        self._command = command
        self._outlets = outlets
        self._triggers = frozenset(outlets.on or FAILURES)
        self._only_changes = only_changes
        self._last: dict[str, tuple[object, ...]] = {}
        self._stack = str(where.absolute())  # until its name is known
        self._states: CheckStates | None = None

    def opened(self, workspace: Workspace) -> None:
        """Set the stack of all further reports."""
        self._stack = workspace.stack.name

    def tell_changes(self, states: CheckStates) -> None:
        """From now on report only changes of checks, also compared with earlier runs."""
        self._states = states

    @_harmless
    def plan(self, plan: Plan, workspace: Workspace | None = None) -> None:
        """Report a plan; the metrics include the last apply in the ledger."""
        if self._trace is not None:
            self._trace.plan(plan, now())
        if self._urls:
            from reconciler.views.notification import plan_event

            self.send(plan_event(plan, self._command, self._origin()))
        if self._outlets.metrics is not None:
            from reconciler.app.status import last_apply
            from reconciler.views.metrics import plan_metrics

            self._write(plan_metrics(plan, last_apply(workspace) if workspace is not None else None))

    @_harmless
    def status(self, status: StackStatus) -> None:
        """Write the metrics of a status."""
        if self._trace is not None:
            self._trace.plan(status.plan, now())
        if self._outlets.metrics is not None:
            from reconciler.views.metrics import status_metrics

            self._write(status_metrics(status))

    @_harmless
    def result(self, result: Result) -> None:
        """Report the result of an apply or destroy, and the drift it found."""
        if self._trace is not None:
            self._trace.plan(result.plan, max(result.plan.planned_at, result.started_at))
            self._trace.result(result)
        if self._urls:
            from reconciler.views.notification import plan_event, result_event

            drift = plan_event(result.plan, self._command, self._origin())
            if drift.trigger is Trigger.DRIFT:
                self.send(drift._replace(run=result.run or None))
            self.send(result_event(result, self._origin()))
        if self._outlets.metrics is not None:
            from reconciler.views.metrics import result_metrics

            self._write(result_metrics(result))

    @_harmless
    def checks(self, report: Report) -> None:
        """Report the results of checks; with states, only those that began to fail or recovered.

        An event that no webhook accepted is sent again the next time.
        """
        if self._trace is not None:
            self._trace.checks(report)
        if self._urls:
            from reconciler.app.check_states import compare
            from reconciler.views.notification import change_events, check_event

            if self._states is None:
                self.send(check_event(report, self._origin()))
            else:
                change = compare(self._states.failing, report)
                taken = [self.send(event) for event in change_events(report, change, self._origin())]
                if all(taken):
                    self._states.keep(change.failing)
        if self._outlets.metrics is not None:
            from reconciler.views.metrics import check_metrics

            self._write(check_metrics(report))

    @_harmless
    def drill(self, record: Record) -> None:
        """Report the result of a drill."""
        if self._trace is not None:
            self._trace.drill(record)
        from reconciler.views.notification import drill_event

        event = drill_event(record, self._origin())
        self.send(event)
        if self._outlets.metrics is not None:
            from reconciler.views.metrics import drill_metrics

            self._write(drill_metrics(record, event.trigger is Trigger.DONE))

    @_harmless
    def error(self, error: Exception) -> None:
        """Report that the command ended with an error; with check states, only if it did not do so the last time."""
        if not self._urls or (self._states is not None and self._states.has_error):
            return
        from reconciler.app.errors import describe_error
        from reconciler.views.notification import error_event

        event = error_event(describe_error(error).diagnostics, self._stack, self._command, now(), self._origin())
        if self.send(event) and self._states is not None:
            self._states.keep_error(event.at)

    def send(self, event: RunEvent) -> bool:
        """Post an event to every webhook if its kind is enabled; False if no webhook accepted it."""
        if not self._urls:
            return True
        said = (event.trigger, event.summary, tuple(detail.subject for detail in event.details))
        repeated = self._only_changes and self._last.get(event.stack) == said
        self._last[event.stack] = said
        if event.trigger not in self._triggers or repeated:
            return True
        from reconciler.app.webhook import post_all
        from reconciler.views.notification import message

        made = message(event, self._outlets.format, self._terminal.redactor.redact, self._token)
        problems = post_all(dict.fromkeys(self._urls, made))
        self._warn(problems)
        return len(problems) < len(self._urls)

    def _write(self, samples: Sequence[Sample]) -> None:
        """Merge samples into the metrics file."""
        from reconciler.core.files import write_text
        from reconciler.views.metrics import merged

        path = self._outlets.metrics
        assert path is not None  # noqa: S101 - narrows a type
        try:
            before = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
            write_text(path, self._terminal.redactor.redact(merged(before, samples)), mode=0o644)
        except OSError as error:
            self._warn([f"cannot write metrics to {path}: {error.strerror or error}"])

    def _warn(self, texts: Sequence[str]) -> None:
        from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Severity

        with suppress(DiagnosticError, OSError):
            self._terminal.report([Diagnostic(text, severity=Severity.WARNING) for text in texts])

    def _origin(self) -> Origin:
        from reconciler.app.ledger import owner

        return owner().origin


@contextmanager
def reporting(
    terminal: Terminal, command: str, where: Path, outlets: Outlets, *, only_changes: bool = False
) -> Iterator[RunReporter]:
    """The reporter of a command; an error that ends the command is reported and re-raised. Raises DiagnosticError."""
    reporter = RunReporter(terminal, command, where, outlets, only_changes=only_changes)
    try:
        yield reporter
    except Exception as error:
        reporter.error(error)
        raise
