"""The ledger as JSON; instants are epoch milliseconds.

``ledger list``: ``{"format_version", "runs": [RUN], "holder": {"owner", "host", "pid", "acquired_at", "expires_at",
"fence"} | null}``. ``ledger show``: ``{"format_version", "run": RUN, "operations": [{"key", "address", "provider",
"verb", "payload", "digest", "occurrence", "target", "run", "intended_at", "attempts", "status", "ended_at",
"confirmed_at", "answer", "id"}]}``. A RUN is ``{"id", "plan_id", "command", "started_at", "ended_at", "state",
"targets"}``; its
state is ``running``, ``done``, ``partial``, ``interrupted`` or ``died``. A status is ``done``, ``failed``, ``unknown``
or null (open); ``payload`` is the JSON text that was sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.ledger.protocol import Entry, Holder, Run, RunState
from reconciler.views.json.document import document


def runs_document(runs: Sequence[Run], holder: Holder | None) -> dict[str, object]:
    """The runs, newest first, and who holds the lease."""
    return document(
        runs=[_run(run, alive=holder is not None and run is runs[0]) for run in runs],
        holder=None if holder is None else holder._asdict(),
    )


def run_document(run: Run, entries: Sequence[Entry], alive: bool) -> dict[str, object]:
    """One run and its operations, in the order they were journalled."""
    return document(run=_run(run, alive), operations=[_operation(entry) for entry in entries])


def _run(run: Run, alive: bool) -> dict[str, object]:
    died = run.state is RunState.RUNNING and not alive
    return {**run._asdict(), "state": "died" if died else run.state.value}


def _operation(entry: Entry) -> dict[str, object]:
    operation = entry.operation
    return {
        "key": operation.key,
        "address": str(operation.address),
        "provider": operation.provider,
        "verb": operation.verb.value,
        "payload": operation.payload,
        "digest": operation.digest,
        "occurrence": operation.occurrence,
        "target": operation.target,
        "run": entry.run,
        "intended_at": entry.intended_at,
        "attempts": entry.attempts,
        "status": None if entry.status is None else entry.status.value,
        "ended_at": entry.ended_at,
        "confirmed_at": entry.confirmed_at,
        "answer": entry.answer,
        "id": entry.id,
    }
