"""The ledger as JSON: its runs, the operations of one run, the result of settling; instants are epoch milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from reconciler.app.prune import Pruned
from reconciler.apply.settle import Settlement
from reconciler.core.origin import Origin
from reconciler.ledger.protocol import Entry, Holder, Run, RunState
from reconciler.ledger.store import StackState
from reconciler.views.json.document import FORMAT_VERSION

if TYPE_CHECKING:
    from reconciler.views.json.schema import (
        OperationShape,
        OriginShape,
        RunOutput,
        RunShape,
        SettledShape,
        SettlementOutput,
    )
    from reconciler.views.json.schema_lists import HolderShape, PruneOutput, RunsOutput, StacksOutput


def runs_document(runs: Sequence[Run], holder: Holder | None) -> RunsOutput:
    """The runs, newest first, and who holds the lease."""
    return {
        "format_version": FORMAT_VERSION,
        "runs": [_run(run, alive=holder is not None and run is runs[0]) for run in runs],
        "holder": None if holder is None else _holder(holder),
    }


def stacks_document(stacks: Sequence[StackState]) -> StacksOutput:
    """The stacks of a shared ledger."""
    return {
        "format_version": FORMAT_VERSION,
        "stacks": [
            {
                "stack": found.stack,
                "rows": found.last,
                "changed_at": found.changed_at,
                "holder": None if found.holder is None else _holder(found.holder),
            }
            for found in stacks
        ],
    }


def pruned_document(found: Pruned, *, done: bool) -> PruneOutput:
    """What `ledger prune` removed, or would remove if ``done`` is false."""
    return {
        "format_version": FORMAT_VERSION,
        "stack": found.location.stack,
        "before": found.before,
        "done": done,
        "removed": {
            "runs": found.ledger.removed.runs,
            "operations": found.ledger.removed.operations,
            "drills": list(found.drills),
        },
        "kept": {"runs": found.ledger.kept.runs, "operations": found.ledger.kept.operations},
    }


def _holder(holder: Holder) -> HolderShape:
    return {
        "owner": holder.owner,
        "host": holder.host,
        "pid": holder.pid,
        "acquired_at": holder.acquired_at,
        "expires_at": holder.expires_at,
        "fence": holder.fence,
        "pipeline": holder.pipeline,
        "commit": holder.commit,
    }


def run_document(run: Run, entries: Sequence[Entry], alive: bool) -> RunOutput:
    """One run and its operations, in the order in which they were journalled."""
    return {
        "format_version": FORMAT_VERSION,
        "run": _run(run, alive),
        "operations": [_operation(entry) for entry in entries],
    }


def _run(run: Run, alive: bool) -> RunShape:
    died = run.state is RunState.RUNNING and not alive
    return {
        "id": run.id,
        "plan_id": run.plan_id,
        "command": run.command,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "state": "died" if died else run.state.value,
        "targets": dict(run.targets),
        "by": origin_member(run.origin),
    }


def origin_member(origin: Origin | None) -> OriginShape | None:
    """Who started a run."""
    if origin is None:
        return None
    return {"user": origin.user, "host": origin.host, "pipeline": origin.pipeline, "commit": origin.commit}


def _operation(entry: Entry) -> OperationShape:
    operation = entry.operation
    return {
        "key": operation.key,
        "address": str(operation.address),
        "provider": operation.provider,
        "verb": operation.verb,
        "payload": operation.payload,
        "digest": operation.digest,
        "occurrence": operation.occurrence,
        "target": operation.target,
        "run": entry.run,
        "intended_at": entry.intended_at,
        "attempts": entry.attempts,
        "status": entry.status,
        "ended_at": entry.ended_at,
        "confirmed_at": entry.confirmed_at,
        "answer": entry.answer,
        "id": entry.id,
    }


def settlement_document(settlement: Settlement) -> SettlementOutput:
    """The document of a settlement."""
    return {
        "format_version": FORMAT_VERSION,
        "arrived": _entries(settlement.arrived),
        "lost": _entries(settlement.lost),
        "open": _entries(settlement.open),
        "waiting": _entries(settlement.waiting),
    }


def _entries(entries: Iterable[Entry]) -> list[SettledShape]:
    return [_entry(entry) for entry in entries]


def _entry(entry: Entry) -> SettledShape:
    operation = entry.operation
    return {
        "address": str(operation.address),
        "provider": operation.provider,
        "verb": operation.verb,
        "key": operation.key,
        "run": entry.run,
        "intended_at": entry.intended_at,
    }
