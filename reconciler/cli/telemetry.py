"""OpenTelemetry: a command as a trace, its plan, run, checks and drill steps as spans, its log records as events.

Enabled by the standard variables; the SDK reads the others (endpoint, headers, timeout, resource, sampler).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.cli.terminal import Terminal
from reconciler.core.duration import SECOND, from_seconds, in_seconds
from reconciler.core.operation import Status

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

    from reconciler.apply.result import Result
    from reconciler.checks.result import Report
    from reconciler.core.origin import Origin
    from reconciler.drill.record import Record
    from reconciler.plan.plan import Plan

BOUND = 10 * SECOND
"""How long (ms) the export of a command's spans may take."""
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_MAX_EVENTS = 100
_log = logging.getLogger(__name__)

Attribute = str | bool | int | float


def is_enabled(environ: Mapping[str, str]) -> bool:
    """Whether the standard variables enable traces."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environ.get("OTEL_TRACES_EXPORTER", "")
    return exporter != "none" and bool(exporter or any(environ.get(name) for name in ENDPOINTS))


@contextmanager
def tracing(terminal: Terminal, command: str) -> Iterator[None]:
    """Trace one command if traces are enabled; ``terminal.telemetry`` is the trace inside the block.

    If OpenTelemetry is not installed or cannot be set up, a warning is logged and the command runs without a trace.
    """
    if not is_enabled(terminal.environ):
        yield
        return
    try:
        trace = Trace(terminal, command)
    except ImportError:
        _log.warning("OpenTelemetry is enabled, but not installed: pip install 'alarm-reconciler[otel]'")
        yield
        return
    except Exception as error:  # noqa: BLE001 - whatever is wrong with its settings, the command must run
        _log.warning("OpenTelemetry cannot be set up: %s", error)
        yield
        return
    terminal.telemetry = trace
    try:
        yield
    finally:
        terminal.telemetry = None
        trace.close()


class Trace:
    """The trace of one command; spans of its work are added when that has ended, with their original times."""

    def __init__(self, terminal: Terminal, command: str) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.trace import set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        environ = terminal.environ
        self._terminal = terminal
        self._exporter = _exporter(environ)
        self._finished: list[ReadableSpan] = []
        named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        resource = Resource.create(
            {"service.version": __version__, **({} if named else {"service.name": "reconciler"})}
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(_collector(self._finished))
        self._tracer = self._provider.get_tracer("reconciler", __version__)
        carrier = {name.lower(): environ[name] for name in ("TRACEPARENT", "TRACESTATE") if environ.get(name)}
        parent = TraceContextTextMapPropagator().extract(carrier)
        self._root = self._tracer.start_span(f"reconciler {command}", context=parent)
        self._root.set_attribute("reconciler.command", command)
        self._context = set_span_in_context(self._root)
        self._records = _Records(self)
        logging.getLogger().addHandler(self._records)

    def ended(self, exit_code: int) -> None:
        """Set the exit code of the command on its span; any but 0 and 2 (changes) is an error."""
        from opentelemetry.trace import StatusCode

        self._root.set_attribute("process.exit.code", exit_code)
        if exit_code not in (0, 2):
            self._root.set_status(StatusCode.ERROR, f"exit code {exit_code}")

    def plan(self, plan: Plan, ended_at: int) -> None:
        """Add a span for the plan, from ``planned_at`` to ``ended_at`` (epoch ms), with drift as events."""
        self._root.set_attribute("reconciler.stack", self._hide(plan.stack))
        counts = {f"reconciler.changes.{action.value}": number for action, number in plan.counts.items()}
        drift = sum(change.drift for change in plan.pending)
        attributes: dict[str, Attribute] = {"reconciler.plan": plan.id, "reconciler.drift": drift, **counts}
        with self._span("plan", plan.planned_at, ended_at, attributes, plan.stack) as span:
            for change in [change for change in plan.pending if change.drift][:_MAX_EVENTS]:
                self._event(span, "drift", {"address": str(change.address), "reason": change.reason}, plan.planned_at)

    def result(self, result: Result) -> None:
        """Add a span for the run, with an event for each operation that is not done."""
        attributes: dict[str, Attribute] = {
            "reconciler.run": result.run,
            "reconciler.plan": result.plan.id,
            "reconciler.ending": result.ending.value,
            **_origin(result.origin),
        }
        for status in Status:
            number = sum(outcome.status is status for outcome in result.outcomes.values())
            attributes[f"reconciler.operations.{status.value}"] = number
        failed = [outcome for outcome in result.outcomes.values() if outcome.status is not Status.DONE]
        bad = bool(result.remaining)
        with self._span(result.command, result.started_at, result.ended_at, attributes, result.plan.stack, bad) as span:
            for outcome in failed[:_MAX_EVENTS]:
                told = {"key": outcome.key, "status": outcome.status.value, "error": str(outcome.error or "")}
                self._event(span, "operation", told, result.ended_at)

    def checks(self, report: Report) -> None:
        """Add a span for each check."""
        self._root.set_attribute("reconciler.stack", self._hide(report.stack))
        for result in report.results:
            attributes = {
                "reconciler.check": result.name,
                "reconciler.check.status": result.status.value,
                "reconciler.check.reason": result.outcome.reason,
            }
            bad = result.status.value not in ("passed", "interrupted")
            with self._span(f"check {result.name}", result.started_at, result.ended_at, attributes, report.stack, bad):
                pass

    def drill(self, record: Record) -> None:
        """Add a span for each step that ran."""
        self._root.set_attribute("reconciler.stack", self._hide(record.stack))
        self._root.set_attribute("reconciler.drill", record.drill)
        self._root.set_attribute("reconciler.run", record.run)
        for step in record.steps:
            if step.started_at is None:
                continue
            attributes = {"reconciler.step": step.name, "reconciler.step.state": step.state.value}
            end, bad = step.ended_at or step.started_at, step.state.value == "failed"
            with self._span(f"{step.action.value} {step.name}", step.started_at, end, attributes, record.stack, bad):
                pass

    def record(self, entry: logging.LogRecord) -> None:
        """Add a log record as an event of the command's span."""
        told = {"logger": entry.name, "level": entry.levelname.lower(), "message": entry.getMessage()}
        self._event(self._root, "log", told, from_seconds(entry.created))

    def close(self) -> None:
        """End the trace and export it."""
        logging.getLogger().removeHandler(self._records)
        self._root.end()
        self.flush()
        self._exporter.shutdown()

    def flush(self) -> None:
        """Export the spans that have ended, for at most BOUND; a failure is logged as a warning."""
        from opentelemetry.sdk.trace.export import SpanExportResult

        spans = tuple(self._finished)
        self._finished.clear()
        results: list[object] = []

        def export() -> None:
            try:
                results.append(self._exporter.export(spans))
            except Exception as error:  # noqa: BLE001 - a failed export must not end a command
                results.append(type(error).__name__)

        library = logging.getLogger("opentelemetry")
        before, library.disabled = library.level, False
        library.setLevel(logging.CRITICAL + 1)  # it logs each attempt; one warning is enough
        worker = threading.Thread(target=export, name="telemetry", daemon=True)
        worker.start()
        worker.join(in_seconds(BOUND))
        library.setLevel(before)
        if results != [SpanExportResult.SUCCESS]:
            _log.warning("OpenTelemetry: the trace could not be exported")

    @contextmanager
    def _span(
        self,
        name: str,
        started_at: int,
        ended_at: int,
        attributes: Mapping[str, Attribute],
        stack: str,
        failed: bool = False,
    ) -> Iterator[Span]:
        from opentelemetry.trace import StatusCode

        told = {key: self._safe(value) for key, value in {"reconciler.stack": stack, **attributes}.items()}
        span = self._tracer.start_span(
            self._hide(name), context=self._context, attributes=told, start_time=started_at * 1_000_000
        )
        if failed:
            span.set_status(StatusCode.ERROR)
        yield span
        span.end(end_time=max(ended_at, started_at) * 1_000_000)

    def _event(self, span: Span, name: str, told: Mapping[str, str], at: int) -> None:
        span.add_event(name, {key: self._hide(value) for key, value in told.items()}, timestamp=at * 1_000_000)

    def _safe(self, value: Attribute) -> Attribute:
        return self._hide(value) if isinstance(value, str) else value

    def _hide(self, text: str) -> str:
        return self._terminal.redactor.redact(text).encode("utf-8", "backslashreplace").decode()


class _Records(logging.Handler):
    """Hands log records to a trace, except those of OpenTelemetry itself."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self._trace = trace

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("opentelemetry"):
            self._trace.record(record)


def _exporter(environ: Mapping[str, str]) -> SpanExporter:
    """The exporter that the variables name. Raises ValueError for one that is not supported."""
    name = environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if name != "otlp":
        raise ValueError(f"OTEL_TRACES_EXPORTER={name} is not supported: use otlp")
    if protocol not in (None, "", "http/protobuf"):
        raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} is not supported: use http/protobuf")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _collector(finished: list[ReadableSpan]) -> SpanProcessor:
    from opentelemetry.sdk.trace import SpanProcessor

    class Collector(SpanProcessor):
        """Keeps spans that have ended, until they are exported."""

        def on_end(self, span: ReadableSpan) -> None:
            if span.context is not None and span.context.trace_flags.sampled:
                finished.append(span)

    return Collector()


def _origin(origin: Origin | None) -> Mapping[str, str]:
    """Who started a run, under the names of the semantic conventions."""
    if origin is None:
        return {}
    names = ("user.name", "host.name", "cicd.pipeline.run.url.full", "vcs.ref.head.revision")
    return {name: value for name, value in zip(names, origin, strict=True) if value is not None}
