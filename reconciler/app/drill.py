"""Drills of a stack: preview, run, resume, abort, status, and the records of past runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import NamedTuple

from reconciler.app.ledger import Asked, locate, owner, shared_place
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, did_you_mean
from reconciler.core.duration import MINUTE
from reconciler.core.observed import Observed, State
from reconciler.core.target import Target
from reconciler.drill.context import OperatorHooks
from reconciler.drill.drill import Drill, Preview, combined_plan, drill_stack, previews
from reconciler.drill.latency import History, histories
from reconciler.drill.load import drill_names, read_drill
from reconciler.drill.preconditions import refusals
from reconciler.drill.record import Record
from reconciler.drill.rehearsal import rehearsed
from reconciler.drill.run import abort, resume, start
from reconciler.drill.store import RunStore, current_state, local_state
from reconciler.ledger.documents import SharedDocuments
from reconciler.ledger.location import read_at
from reconciler.ledger.protocol import LeaseHeldError
from reconciler.providers.protocol import ServiceError
from reconciler.session.workspace import STATE_DIRECTORY, Workspace

ABORT_TIMEOUT = 3 * MINUTE
"""How long (ms) an abort waits for a live run to clear its alarms and end."""
_POLL = 200

Hooks = Callable[[Workspace], AbstractContextManager[OperatorHooks]]
"""Gives the operator hooks of a run on this workspace, while it runs."""


def run_store(workspace: Workspace, redact: Callable[[object], object]) -> RunStore:
    """The records of a stack's drills; ``redact`` removes secrets before a record is written."""
    return RunStore(workspace.drill_documents() or workspace.state_directory, redact)


def recorded(path: Path, run: str | None, environ: Mapping[str, str], ledger: str | None = None) -> Record:
    """The record of a run, or of the last real one. Raises DiagnosticError if there is none.

    If there is no real run, it is the last rehearsal. ``ledger`` overrides the ledger of the stack.
    """
    root = path if path.is_dir() else path.parent
    asked = Asked(str(path), ledger=ledger)
    url, _ = shared_place(asked, environ)
    if url is None:
        return local_state(_recorded(RunStore(root / STATE_DIRECTORY), run, root), owner().host)
    location = locate(asked, environ)
    with closing(SharedDocuments(location)) as documents, closing(read_at(location)) as opened:
        found = _recorded(RunStore(documents), run, root)
        return current_state(found, opened.holder(0), owner().host)


def _recorded(store: RunStore, run: str | None, root: Path) -> Record:
    found = store.last() if run is None else store.load(run)
    if found is None:
        hint = "`reconciler drill run NAME --rehearse` makes one"
        raise DiagnosticError(Diagnostic(f"no drill has been run in {root}", hint=hint))
    return found


def recorded_history(
    path: Path, drill: str | None, last: int, environ: Mapping[str, str], ledger: str | None = None
) -> list[History]:
    """The latencies of recent runs of each drill, or of one. Raises DiagnosticError if there are none.

    ``ledger`` overrides the ledger of the stack.
    """
    root = path if path.is_dir() else path.parent
    asked = Asked(str(path), ledger=ledger)
    url, _ = shared_place(asked, environ)
    if url is None:
        records = RunStore(root / STATE_DIRECTORY).records()
    else:
        with closing(SharedDocuments(locate(asked, environ))) as documents:
            records = RunStore(documents).records()
    found = histories(records, drill, last)
    if not found:
        which = f"drill {drill}" if drill is not None else "a drill"
        raise DiagnosticError(Diagnostic(f"no run of {which} in {root} has latencies"))
    return found


def latest_runs(workspace: Workspace, store: RunStore) -> dict[str, Record]:
    """The last run of each drill, newest first: its last real run, or a rehearsal if there is none."""
    holder, host = workspace.lease_holder(), owner().host
    return {drill: current_state(record, holder, host) for drill, record in store.latest().items()}


class DrillPreview(NamedTuple):
    """What a drill would do.

    ``targets`` maps its providers to their targets; ``problems`` say why it would not start now.
    """

    drill: Drill
    targets: Mapping[str, Target]
    steps: Sequence[Preview]
    problems: Sequence[str]


def preview_drill(workspace: Workspace, name: str) -> DrillPreview:
    """What each step of a drill would send and to which target, and why the drill would not start now."""
    drill = load_drill(workspace, name)
    types, now = workspace.registry.resource_types(), workspace.clock.now()
    plan = combined_plan(drill, types, now)
    found = [*refusals(drill, workspace.projects, now), *workspace.refusals(plan), *plan.problems]
    targets = {key: workspace.targets[key] for key in drill.providers}
    return DrillPreview(drill, targets, previews(drill, types, now), [problem.summary for problem in found])


def run_drill(workspace: Workspace, name: str, store: RunStore, hooks: Hooks, *, force: bool = False) -> Record:
    """Run a drill against the stack's services."""
    drill = load_drill(workspace, name)
    with hooks(workspace) as operator:
        return start(workspace, drill, store, operator, force=force)


def rehearse_drill(
    workspace: Workspace, name: str, store: RunStore, hooks: Hooks, *, speed: float, force: bool = False
) -> Record:
    """Run a drill on its own emulator, ``speed`` times as fast."""
    with rehearsed(workspace, speed) as rehearsal:
        return run_drill(rehearsal, name, store, hooks, force=force)


def resume_drill(workspace: Workspace, name: str, store: RunStore, hooks: Hooks) -> Record:
    """Resume the last unfinished run of a drill. Raises DiagnosticError if there is none."""
    drill = load_drill(workspace, name)
    unfinished = store.unfinished(name)
    if not unfinished:
        hint = f"`reconciler drill run {name}` starts one; `reconciler drill status` shows how the last one ended"
        raise DiagnosticError(Diagnostic(f"no unfinished run of drill {name} to resume", hint=hint))
    with hooks(workspace) as operator:
        return resume(workspace, drill, unfinished[0], store, operator)


def abort_drills(
    workspace: Workspace, name: str | None, store: RunStore, hooks: Hooks, waiting: Callable[[Record], None]
) -> list[Record]:
    """Abort and clear one drill, or every drill that is declared or has an unfinished run.

    ``waiting`` is called with a live run of this host that was asked to stop.
    """
    known = drill_names(workspace.stack)
    recorded = [record.drill for record in store.records()]
    if name is not None and name not in known and name not in recorded:
        near = did_you_mean(name, [*known, *recorded])
        if near is not None:
            raise DiagnosticError(Diagnostic(f'there is no drill "{name}"', hint=near))
    names = [name] if name is not None else list(dict.fromkeys([*known, *recorded]))
    with hooks(workspace) as operator:
        return [_abort(workspace, each, store, operator, waiting) for each in names]


def active_alarms(workspace: Workspace, recorded: Sequence[str]) -> tuple[dict[str, list[Observed]], str | None]:
    """The active alarms of each drill, found by their marks; or why they could not be queried."""
    names = dict.fromkeys([*drill_names(workspace.stack), *recorded])
    found: dict[str, list[Observed]] = {}
    try:
        for name in names:
            found[name] = active_drill_alarms(workspace, name)
    except ServiceError as error:
        return found, str(error.detail)
    return found, None


def active_drill_alarms(workspace: Workspace, name: str) -> list[Observed]:
    """The active alarms of a drill, found by its marks. Raises ServiceError."""
    observed = workspace.observe_owner(drill_stack(workspace.stack.name, name))
    return [found for found in observed if found.state is State.ACTIVE]


def load_drill(workspace: Workspace, name: str) -> Drill:
    """A drill of an open stack. Raises DiagnosticError if it is invalid, or if there is none of that name."""
    return read_drill(workspace.stack, name, list(workspace.registry), workspace.ask)


def _abort(
    workspace: Workspace, name: str, store: RunStore, operator: OperatorHooks, waiting: Callable[[Record], None]
) -> Record:
    """Abort one drill; a live run is asked to stop and waited for."""
    try:
        return abort(workspace, name, store, operator)
    except LeaseHeldError as error:
        alive = [record for record in store.unfinished(name) if record.pid == error.holder.pid]
        if not alive:
            raise
    record = alive[0]
    waiting(record)
    store.request_abort(record.run)
    until = workspace.clock.monotonic() + ABORT_TIMEOUT
    while workspace.clock.monotonic() < until and not operator.stop.is_set():
        record = store.load(record.run)
        if record.over:
            store.clear_abort(record.run)
            return record
        workspace.clock.pause(_POLL, operator.stop)
    return abort(workspace, name, store, operator)
