"""Results as JSON.

``{"format_version", "run", "ending", "complete", "summary", "shares", "started_at", "ended_at", "cause", "remaining",
"unconfirmed", "undecided", "continue_with", "plan"}``. ``ending`` is ``complete``, ``denied``, ``interrupted`` or
``deadline``; ``complete`` says that nothing remains. ``shares`` tells of each provider, by its key, what ``summary``
tells of all; it is empty where one provider had changes, or nothing remains. ``remaining`` lists every operation that
is not done: ``{"address", "action", "verb", "status", "error"}``, ``status`` being ``failed``, ``unknown`` or ``not
started``, and an error ``{"message", "status", "code", "trace_id", "request"}`` as the service said it. ``unconfirmed``
lists addresses, and so does ``undecided``: those that may fire twice until the next apply. ``plan`` has the members of
a plan's document, but for ``format_version`` and ``diagnostics``.
"""

from __future__ import annotations

from reconciler.apply.result import Result
from reconciler.core.duration import format_instant
from reconciler.views.json.document import document
from reconciler.views.json.plan import plan_members
from reconciler.views.phrases.result import per_provider, possible_duplicates, remaining, summary_line, unconfirmed


def result_document(result: Result, again: str) -> dict[str, object]:
    """The document of a run; ``again`` is the command that continues it."""
    left = list(remaining(result))
    return document(
        run=result.run,
        ending=result.ending.value,
        complete=not left,
        summary=summary_line(result),
        shares=dict(per_provider(result)),
        started_at=format_instant(result.started_at),
        ended_at=format_instant(result.ended_at),
        cause=result.cause._asdict() if result.cause else None,
        remaining=[
            {
                "address": str(item.change.address),
                "action": item.change.action.value,
                "verb": item.operation.verb.value,
                "status": item.status,
                "error": item.error._asdict() if item.error else None,
            }
            for item in left
        ],
        unconfirmed=list(dict.fromkeys(str(operation.address) for operation in unconfirmed(result))),
        undecided=possible_duplicates(result),
        continue_with=again if left else None,
        plan=plan_members(result.plan),
    )
