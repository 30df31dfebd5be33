"""Notifications: events of a run for webhooks, as JSON, as text for Slack, or as a CloudEvent."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from reconciler import __version__
from reconciler.app.check_states import StateChange
from reconciler.app.trigger import Trigger, WebhookFormat
from reconciler.app.webhook import Detail, Message, RunEvent
from reconciler.apply.result import ApplyStatus, Result
from reconciler.checks.poll import CheckStatus
from reconciler.checks.result import Report
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.duration import format_instant, rough_duration
from reconciler.core.origin import Origin
from reconciler.core.text import printable
from reconciler.drill.record import DrillStatus, Record
from reconciler.plan.plan import Plan
from reconciler.views.json.document import FORMAT_VERSION
from reconciler.views.json.ledger import origin_member
from reconciler.views.phrases.drill import headline
from reconciler.views.phrases.plan import count, drift_summary
from reconciler.views.phrases.result import ending, remaining, status_counts, summary_line

if TYPE_CHECKING:
    from reconciler.views.json.schema_status import NotificationOutput

MOST_DETAILS = 20
"""The maximum number of details in a notification; the others are counted."""
MOST_TEXT = 300
"""The maximum length of a summary or a detail."""

_HEADS = {
    Trigger.DRIFT: "Drift",
    Trigger.APPLY_FAILED: "Apply failed",
    Trigger.CHECK_FAILED: "Check failed",
    Trigger.RECOVERED: "Recovered",
    Trigger.DRILL_FAILED: "Drill failed",
    Trigger.ERROR: "Error",
    Trigger.DONE: "Done",
}


def plan_event(plan: Plan, command: str, origin: Origin) -> RunEvent:
    """The event of a plan: drift if there is any; else what forbids applying it, or success."""
    drift = [change for change in plan.pending if change.drift]
    details = [Detail(str(change.address), f"{change.reason} ({change.action})") for change in drift]
    details += [Detail("problem", problem.summary) for problem in plan.problems]
    trigger = Trigger.DRIFT if drift else Trigger.ERROR if plan.problems else Trigger.DONE
    summary = "This plan cannot be applied." if trigger is Trigger.ERROR else drift_summary(plan)
    return _event(trigger, plan.stack, command, plan.planned_at, summary, origin, plan_id=plan.id, details=details)


def result_event(result: Result, origin: Origin) -> RunEvent:
    """The event of an apply or destroy."""
    done = result.ending is ApplyStatus.COMPLETE and not result.remaining
    why = ending(result)
    return _event(
        Trigger.DONE if done else Trigger.APPLY_FAILED,
        result.plan.stack,
        result.command,
        result.ended_at,
        summary_line(result) + (f" {why}" if why else ""),
        origin,
        run=result.run or None,
        plan_id=result.plan.id,
        details=[
            Detail(str(item.change.address), f"{item.operation.verb} {item.status} {item.error or ''}".rstrip())
            for item in remaining(result)
        ],
    )


def check_event(report: Report, origin: Origin) -> RunEvent:
    """The event of a stack's checks. A failed query counts as failed; an interrupted check does not."""
    bad = [result for result in report.results if result.status in (CheckStatus.FAILED, CheckStatus.UNKNOWN)]
    return _event(
        Trigger.CHECK_FAILED if bad else Trigger.DONE,
        report.stack,
        "check",
        report.ended_at,
        status_counts(report),
        origin,
        details=[Detail(result.name, f"{result.status}: {result.outcome.reason}") for result in bad],
    )


def change_events(report: Report, change: StateChange, origin: Origin) -> list[RunEvent]:
    """The events of a round of checks: those that began to fail, and those that recovered."""
    events = []
    if change.failed:
        told = [Detail(result.name, f"{result.status}: {result.outcome.reason}") for result in change.failed]
        summary = f"{count(len(change.failed), 'check')} began to fail."
        events.append(
            _event(Trigger.CHECK_FAILED, report.stack, "check", report.ended_at, summary, origin, details=told)
        )
    if change.recovered or change.error_over:
        told = [
            Detail(result.name, f"failed for {rough_duration(failed_for)}: now {result.outcome.reason}")
            for result, failed_for in change.recovered
        ]
        again = [f"{count(len(change.recovered), 'check')} passed again."] if change.recovered else []
        again += ["The checks run again after an error."] if change.error_over else []
        events.append(
            _event(Trigger.RECOVERED, report.stack, "check", report.ended_at, " ".join(again), origin, details=told)
        )
    return events


def drill_event(record: Record, origin: Origin) -> RunEvent:
    """The event of a drill. One stopped by a user has not failed, unless it left alarms."""
    stopped = record.ending in (DrillStatus.INTERRUPTED, DrillStatus.ABORTED)
    bad = bool(record.leftovers) or (
        not stopped and (record.ending is not DrillStatus.COMPLETE or bool(record.undone or record.failed_checks))
    )
    details = [
        *(Detail("left", text) for text in record.leftovers),
        *(Detail(check.name, f"{check.status}: {check.reason}") for check in record.failed_checks),
        *(Detail(name, "not done") for name in record.undone),
    ]
    return _event(
        Trigger.DRILL_FAILED if bad else Trigger.DONE,
        record.stack,
        "drill",
        record.ended_at or record.began_at,
        f"{record.drill}: {headline(record)}",
        origin,
        run=record.run,
        details=details if bad else [],
    )


def error_event(diagnostics: Sequence[Diagnostic], stack: str, command: str, at: int, origin: Origin) -> RunEvent:
    """The event of a command that ended with an error; for an apply, that of a failed apply."""
    trigger = Trigger.APPLY_FAILED if command in ("apply", "destroy") else Trigger.ERROR
    first, *others = [each.summary for each in diagnostics] or ["unknown"]
    return _event(trigger, stack, command, at, first, origin, details=[Detail("error", text) for text in others])


def message(event: RunEvent, format: WebhookFormat, hide: Callable[[str], str], token: str | None = None) -> Message:
    """The request for an event; ``hide`` redacts, ``token`` is sent as a bearer token."""
    hidden = event._replace(
        stack=hide(event.stack),
        summary=_joined(hide(event.summary)),
        details=[Detail(hide(detail.subject), _joined(hide(detail.text))) for detail in event.details],
        origin=event.origin._replace(
            **{name: hide(part) for name, part in event.origin._asdict().items() if part is not None}
        ),
    )
    match format:
        case WebhookFormat.JSON:
            kind, body = "application/json", dict[str, object](notification_document(hidden))
        case WebhookFormat.SLACK:
            kind, body = "application/json", {"text": slack_text(hidden)}
        case WebhookFormat.CLOUDEVENTS:
            kind, body = "application/cloudevents+json", cloud_event(hidden)
    headers = {"Content-Type": f"{kind}; charset=utf-8", "User-Agent": f"reconciler/{__version__}"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return Message(headers, json.dumps(body).encode("ascii"))


def notification_document(event: RunEvent) -> NotificationOutput:
    """The JSON document of an event."""
    return {
        "format_version": FORMAT_VERSION,
        "id": event.id,
        "trigger": event.trigger.value,
        "stack": event.stack,
        "command": event.command,
        "at": format_instant(event.at),
        "summary": _short(event.summary),
        "run": event.run,
        "plan_id": event.plan_id,
        "by": origin_member(event.origin),
        "details": [{"subject": _short(one.subject), "text": _short(one.text)} for one in event.details[:MOST_DETAILS]],
        "more_details": max(len(event.details) - MOST_DETAILS, 0),
    }


def slack_text(event: RunEvent) -> str:
    """The event as text for Slack, Mattermost and Discord (``/slack``), without mentions."""
    lines = [f"*{_HEADS[event.trigger]}: {_slack(event.stack)}* ({_slack(event.command)})", _slack(event.summary)]
    lines += [f"• {_code(one.subject)} {_slack(one.text)}" for one in event.details[:MOST_DETAILS]]
    if len(event.details) > MOST_DETAILS:
        lines.append(f"• and {len(event.details) - MOST_DETAILS:,} more")
    by = f"by {event.origin}" + (f", run {event.run}" if event.run else "")
    return "\n".join([*lines, _slack(by, formats="@")])


def cloud_event(event: RunEvent) -> dict[str, object]:
    """The event as a CloudEvent 1.0 in structured mode."""
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/reconciler/stacks/{quote(event.stack, safe='')}",
        "type": f"dev.reconciler.{event.trigger.value}.v1",
        "time": format_instant(event.at),
        "subject": event.run or event.command,
        "datacontenttype": "application/json",
        "data": notification_document(event),
    }


def _event(
    trigger: Trigger,
    stack: str,
    command: str,
    at: int,
    summary: str,
    origin: Origin,
    *,
    run: str | None = None,
    plan_id: str | None = None,
    details: Iterable[Detail] = (),
) -> RunEvent:
    return RunEvent(secrets.token_hex(16), trigger, stack, command, at, summary, origin, run, plan_id, tuple(details))


def _joined(text: str) -> str:
    """The lines of a text joined to a sentence."""
    return "; ".join(text.split("\n"))


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= MOST_TEXT else f"{shown[: MOST_TEXT - 1]}…"


def _code(text: str) -> str:
    return f"`{_slack(text.replace('`', '_'), formats='')}`"


def _slack(text: str, formats: str = "*_~@") -> str:
    """Literal text for Slack: its three control characters escaped, without formatting or mentions."""
    shown = _short(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A zero-width space after these prevents emphasis and mentions (@here in Mattermost and Discord).
    return shown.translate({ord(sign): f"{sign}\u200b" for sign in formats})
