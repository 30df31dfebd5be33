"""Results as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.apply.result import Result
from reconciler.core.duration import format_instant
from reconciler.core.operation import ServiceErrorDetail
from reconciler.views.json.document import FORMAT_VERSION, LazyArray
from reconciler.views.json.ledger import origin_member
from reconciler.views.json.plan import plan_members
from reconciler.views.phrases.result import (
    Remaining,
    per_provider,
    possible_duplicates,
    remaining,
    summary_line,
    unconfirmed,
)

if TYPE_CHECKING:
    from reconciler.session.other_stacks import OtherStacks
    from reconciler.views.json.schema import ApplyOutput, OtherStacksShape, RemainingShape, ServiceErrorShape


def result_document(result: Result, again: str, others: OtherStacks | None = None) -> ApplyOutput:
    """The document of a run; ``again`` is the command that continues it, ``others`` are active alarms of other
    stacks.
    """
    left = list(remaining(result))
    document: ApplyOutput = {
        "format_version": FORMAT_VERSION,
        "run": result.run,
        "ending": result.ending.value,
        "complete": not left,
        "summary": summary_line(result),
        "shares": dict(per_provider(result)),
        "started_at": format_instant(result.started_at),
        "ended_at": format_instant(result.ended_at),
        "by": origin_member(result.origin),
        "cause": _error(result.cause) if result.cause is not None else None,
        "remaining": LazyArray(_remaining, left),
        "unconfirmed": list(dict.fromkeys(str(operation.address) for operation in unconfirmed(result))),
        "undecided": possible_duplicates(result),
        "continue_with": again if left else None,
        "plan": plan_members(result.plan),
    }
    if others is not None:
        document["other_stacks"] = others_member(others)
    return document


def others_member(others: OtherStacks) -> OtherStacksShape:
    """Active alarms of other stacks of the ledger."""
    return {
        "ledger": others.place,
        "firing": [
            {
                "stack": stack.name,
                "alarms": [str(alarm.address) for alarm in stack.alarms],
                "over_by": format_instant(max(alarm.over_by for alarm in stack.alarms)),
            }
            for stack in others.firing
        ],
        "unread": list(others.unread),
    }


def already_applied_document(plan_id: str, summary: str) -> ApplyOutput:
    """The document of an apply that sent nothing because its plan was already applied."""
    return {
        "format_version": FORMAT_VERSION,
        "run": None,
        "complete": True,
        "summary": summary,
        "plan_id": plan_id,
    }


def _remaining(item: Remaining) -> RemainingShape:
    return {
        "address": str(item.change.address),
        "action": item.change.action,
        "verb": item.operation.verb,
        "status": item.status,
        "error": _error(item.error) if item.error is not None else None,
    }


def _error(error: ServiceErrorDetail) -> ServiceErrorShape:
    return {
        "message": error.message,
        "status": error.status,
        "code": error.code,
        "trace_id": error.trace_id,
        "request": error.request,
    }
