"""Runs a unit of a fleet: in a worker process, on a Dask worker, or in this process; never raises."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from threading import Event

from reconciler.app.activity import KINDS, last_activity, record_activity
from reconciler.app.apply import ApplyRequest, Cutting, FailedRun, NotRun, apply_saved, apply_stack
from reconciler.app.check import check_exit_code, run_stack_checks
from reconciler.app.errors import describe_error
from reconciler.app.ledger import owner
from reconciler.app.plan import inputs, plan_stack
from reconciler.app.planfiles import load_plan, plan_file
from reconciler.app.shard import apply_shard
from reconciler.app.status import last_apply
from reconciler.app.unit import WRITING, Activity, Unit, UnitKind, UnitResult, UnitState
from reconciler.app.unit_results import applied, planned
from reconciler.apply.lease import LeaseWait
from reconciler.apply.options import DEADLINE, NullProgress, Options, Progress
from reconciler.apply.result import ApplyStatus
from reconciler.apply.settle import Settlement
from reconciler.checks.poll import CheckStatus
from reconciler.checks.run import NullCheckWatcher
from reconciler.config.stack import FLEET_VARIABLES, Inputs
from reconciler.config.yaml.source_map import Source
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Severity
from reconciler.core.exit_code import ExitCode
from reconciler.core.files import write_text
from reconciler.core.ledger_url import ENVIRONMENT_VARIABLE, VARIABLE, secrets_of
from reconciler.core.operation import Status
from reconciler.core.system_clock import now
from reconciler.core.text import Redactor
from reconciler.ledger.protocol import LeaseHeldError, Run, RunState
from reconciler.plan.plan import Plan, drift_only
from reconciler.session.planning import make_stack_plan
from reconciler.session.rate_limits import RateLimits
from reconciler.session.stack_source import read_source
from reconciler.session.workspace import Workspace, open_workspace

Listening = Callable[[Event], AbstractContextManager[None]]
"""Entered around each part of a unit that stops when its event is set: a stop request sets the event."""


@contextmanager
def never(_: Event) -> Iterator[None]:
    """A ``Listening`` without stop requests."""
    yield


def run_unit(
    unit: Unit,
    listening: Listening = never,
    environ: Mapping[str, str] = os.environ,
    *,
    workers: int = 1,
    need_shared_ledger: bool = False,
    cut: Cutting | None = None,
) -> UnitResult:
    """Run a unit and return its result; an error of any kind is a result, too. ``workers`` processes share the work.

    With ``need_shared_ledger`` a unit that writes to services is refused if its ledger is a file. An apply with ``cut``
    is planned here and applied in shards.

    ``listening`` is entered around the parts that stop by themselves when their event is set. Elsewhere a stop request
    may raise KeyboardInterrupt, as Ctrl-C does: leases are released, and the result says so.
    """
    redactor = Redactor()

    def run() -> UnitResult:
        with open_unit(unit, environ, redactor, workers) as workspace:
            if need_shared_ledger and unit.kind in WRITING and not workspace.ledger_location.is_shared:
                raise DiagnosticError(_needs_shared_ledger(workspace))
            return run_opened(unit, workspace, listening, cut)

    return ended(unit, redactor, run)


def ended(unit: Unit, redactor: Redactor, run: Callable[[], UnitResult]) -> UnitResult:
    """The result of a unit that ``run`` runs; it raises nothing, and contains no secret."""
    began = now()
    try:
        found = run()
    except KeyboardInterrupt:
        found = UnitResult(unit, UnitState.INTERRUPTED, ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - one stack must not end the others
        failed = describe_error(error)
        state = UnitState.LEASED if failed.exit_code is ExitCode.LEASE_HELD else UnitState.FAILED
        found = UnitResult(unit, state, failed.exit_code, diagnostics=failed.diagnostics)
    return _redacted(replace(found, started_at=began, ended_at=now()), redactor)


@contextmanager
def open_unit(unit: Unit, environ: Mapping[str, str], redactor: Redactor, workers: int) -> Iterator[Workspace]:
    """Open the stack of a unit; the redactor gets its secrets. ``workers`` processes share rate limits."""
    values = _inputs(unit, environ, redactor)
    needs_data = unit.kind in (UnitKind.PLAN, UnitKind.APPLY, UnitKind.DRIFT)
    limits = _rate_limits(workers, tuple(unit.rate_limits.items()))
    with open_workspace(
        Path(unit.path), values, data=needs_data, rate_limits=limits, planned=unit.shard is None
    ) as workspace:
        for secret in workspace.stack.secrets:
            redactor.add(secret)
        workspace.lease_wait = LeaseWait(unit.lock_timeout)
        yield workspace


def run_opened(unit: Unit, workspace: Workspace, listening: Listening, cut: Cutting | None = None) -> UnitResult:
    """Run the command of a unit on its stack, and record how it ended."""
    command = _COMMANDS[unit.kind]
    try:
        found = command(unit, workspace, listening) if cut is None else _apply(unit, workspace, listening, cut)
    except LeaseHeldError:
        raise  # the run that holds it is the last one
    except Exception:
        _record(workspace, UnitResult(unit, UnitState.FAILED, ExitCode.ERROR))
        raise
    found = replace(found, stack=workspace.stack.name, diagnostics=(*workspace.stack.warnings, *found.diagnostics))
    in_ledger = unit.kind is UnitKind.APPLY and (found.run is not None or found.state is not UnitState.DONE)
    if not in_ledger:
        _record(workspace, found)
    return found


def _record(workspace: Workspace, found: UnitResult) -> None:
    if found.unit.kind in KINDS:
        by = str(owner().origin)
        activity = Activity(workspace.clock.now(), by, found.state, found.counts, found.plan_id)
        record_activity(workspace, found.unit.kind, activity)


@cache
def _rate_limits(workers: int, limits: tuple[tuple[str, float], ...]) -> RateLimits:
    """The rate limits of this process as a worker of a fleet: they are kept for the next units."""
    return RateLimits(workers=workers, shared=True, limits=dict(limits))


def _plan(unit: Unit, workspace: Workspace, _: Listening) -> UnitResult:
    plan = plan_stack(workspace, only_raised=True)
    found = planned(unit, plan)
    if plan.problems:
        return found
    if unit.plan_file is not None:
        write_text(Path(unit.plan_file), plan_file(plan))
    refusals = () if unit.force else workspace.refusals(plan)
    told = [refusal._replace(severity=Severity.WARNING) for refusal in refusals]
    return replace(found, diagnostics=(*found.diagnostics, *told))


def _drift(unit: Unit, workspace: Workspace, _: Listening) -> UnitResult:
    whole = make_stack_plan(workspace, workspace.read_ledger_view())  # without a query for unmanaged duplicates
    found = planned(unit, drift_only(whole))
    return replace(found, others=len(whole.pending) - found.drift)


def _apply(unit: Unit, workspace: Workspace, listening: Listening, cut: Cutting | None = None) -> UnitResult:
    options = Options(deadline=DEADLINE if unit.deadline is None else unit.deadline)
    request = ApplyRequest("apply", options, unit.force, cut)
    operator = _Operator(listening)
    saved = None if unit.plan_file is None else _saved(unit.plan_file, unit.plan_id)
    if saved is None:
        result = apply_stack(workspace, request, operator)
    else:
        result = apply_saved(workspace, request, operator, saved)
    if result is NotRun.INTERRUPTED:
        return UnitResult(unit, UnitState.INTERRUPTED, ExitCode.INTERRUPTED)
    if isinstance(result, NotRun):
        found = UnitResult(unit, UnitState.DONE, ExitCode.DONE, plan_id=None if saved is None else saved.id)
        return _repeated(found, workspace, lambda run: saved is not None and run.plan_id == saved.id)
    if isinstance(result, FailedRun):
        found = applied(unit, result.result)
        told = describe_error(result.error).diagnostics
        return replace(found, state=UnitState.FAILED, diagnostics=(*told, *found.diagnostics))
    found = applied(unit, result)
    if unit.since and not result.plan.pending:
        return _repeated(found, workspace, lambda run: run.command == "apply" and run.started_at >= unit.since)
    return found


def _saved(file: str, id: str | None) -> Plan:
    """The saved plan in a file. Raises DiagnosticError if it does not have this id."""
    plan = load_plan(Path(file))
    if id is not None and plan.id != id:
        summary = f"{file} is not the plan that was saved with its fleet"
        raise DiagnosticError(Diagnostic(summary, hint="make new plans: reconciler fleet plan --out DIR"))
    return plan


def _repeated(found: UnitResult, workspace: Workspace, is_ours: Callable[[Run], bool]) -> UnitResult:
    """The result of an earlier run of the same work, from the ledger; the given result if there was none."""
    with workspace.reading_ledger() as ledger:
        run = next((run for run in ledger.runs() if is_ours(run) and run.state is RunState.DONE), None)
        if run is None:
            return found
        done = [entry.operation for entry in ledger.entries(run.id) if entry.status is Status.DONE]
    counts = Counter(operation.verb.value for operation in done)
    return replace(found, counts=counts, run=run.id, plan_id=run.plan_id, repeated=True)


def _check(unit: Unit, workspace: Workspace, listening: Listening) -> UnitResult:
    if "checks" not in workspace.stack.sections:  # other stacks of the fleet have checks
        return UnitResult(unit, UnitState.DONE, ExitCode.DONE)
    stop = Event()
    with listening(stop):
        report = run_stack_checks(workspace, (), stop, NullCheckWatcher())
    code = check_exit_code(report.counts)
    state = UnitState.FAILED if code else UnitState.DONE
    bad = [found for found in report.results if found.status is not CheckStatus.PASSED]
    return UnitResult(
        unit,
        UnitState.INTERRUPTED if code is ExitCode.INTERRUPTED else state,
        code,
        counts={status.value: number for status, number in report.counts.items()},
        diagnostics=tuple(
            Diagnostic(f"check {found.name}: {found.status}: {found.outcome.reason}", found.position) for found in bad
        ),
    )


def _status(unit: Unit, workspace: Workspace, _: Listening) -> UnitResult:
    """When each command last ran on the stack, from its ledger; no service is queried."""
    known = {kind: last_activity(workspace, kind) for kind in KINDS}
    run, idle = last_apply(workspace), known[UnitKind.APPLY]
    if run is not None and run.ended_at is not None and (idle is None or idle.at < run.ended_at):
        state = UnitState.DONE if run.state is RunState.DONE else UnitState.FAILED
        known[UnitKind.APPLY] = Activity(run.ended_at, str(run.origin) if run.origin else "", state, id=run.id)
    holder = workspace.lease_holder()
    return UnitResult(
        unit,
        UnitState.DONE,
        ExitCode.DONE,
        activities={kind: found for kind, found in known.items() if found is not None},
        holder=None if holder is None else str(holder),
    )


def _shard(unit: Unit, workspace: Workspace, listening: Listening) -> UnitResult:
    """Apply a shard that another process has planned; that process verifies the effects of all shards at the end."""
    if unit.shard is None:
        raise ValueError("a unit of this kind has a shard")
    options = Options(deadline=DEADLINE if unit.deadline is None else unit.deadline, verify=False)
    report = apply_shard(workspace, unit.shard, options, listening)
    left = len(report.undone)
    state = UnitState.FAILED if left else UnitState.DONE
    interrupted = report.ending is ApplyStatus.INTERRUPTED
    return UnitResult(
        unit,
        UnitState.INTERRUPTED if interrupted else state,
        ExitCode.INTERRUPTED if interrupted else ExitCode.PARTIAL if left else ExitCode.DONE,
        remaining=left,
        run=unit.shard.run,
        plan_id=unit.shard.plan_id,
        shard=report,
    )


_COMMANDS: Mapping[UnitKind, Callable[[Unit, Workspace, Listening], UnitResult]] = {
    UnitKind.PLAN: _plan,
    UnitKind.APPLY: _apply,
    UnitKind.CHECK: _check,
    UnitKind.DRIFT: _drift,
    UnitKind.STATUS: _status,
    UnitKind.SHARD: _shard,
}


class _Operator:
    """Approves automatically, and passes stop requests on."""

    def __init__(self, listening: Listening) -> None:
        self._listening = listening

    def settled(self, settlement: Settlement) -> None: ...

    def review(self, plan: Plan) -> None: ...

    def approve(self, plan: Plan) -> bool:  # noqa: ARG002 - whoever started the fleet has decided
        return True

    @contextmanager
    def working(self, stop: Event) -> Iterator[Progress]:
        with self._listening(stop):
            yield NullProgress()


def _inputs(unit: Unit, environ: Mapping[str, str], redactor: Redactor) -> Inputs:
    ledger = _ledger(unit.ledger, environ)
    for secret in secrets_of(ledger or environ.get(VARIABLE, "")):
        redactor.add(secret)
    found = inputs(environ, (), (), ledger)
    places = unit.file_places  # of the files that the fleet file names; others are of --var-file
    read = (
        read_source(Path(file), "" if file in places else "--var-file", places.get(file)) for file in unit.var_files
    )
    found = found._replace(files=tuple(read))
    texts = {name: value for name, value in unit.variables.items() if isinstance(value, str)}
    others = {name: value for name, value in unit.variables.items() if name not in texts}
    files = (*found.files, Source(FLEET_VARIABLES, json.dumps(others).encode())) if others else found.files
    return found._replace(variables=texts, files=files, places=unit.places)


def _ledger(text: str | None, environ: Mapping[str, str]) -> str | None:
    """The location of the ledger with environment variables substituted. Raises DiagnosticError if one is not set."""
    if text is None:
        return None
    missing = [name for name in ENVIRONMENT_VARIABLE.findall(text) if not environ.get(name)]
    if missing:
        summary = f"ledger: the environment variable {missing[0]} is not set"
        raise DiagnosticError(Diagnostic(summary, hint="set it where the command and its workers run"))
    return ENVIRONMENT_VARIABLE.sub(lambda match: environ[match[1]], text)


def _needs_shared_ledger(workspace: Workspace) -> Diagnostic:
    return Diagnostic(
        f"the ledger of {workspace.stack.name} is a file, {workspace.ledger_location}, which other workers do not have",
        hint="name one that all workers share: --ledger postgresql://..., or RECONCILER_LEDGER where they run",
    )


def _redacted(result: UnitResult, redactor: Redactor) -> UnitResult:
    hide = redactor.redact
    return replace(
        result,
        changes=tuple(
            replace(change, address=hide(change.address), reason=hide(change.reason)) for change in result.changes
        ),
        diagnostics=tuple(
            found._replace(
                summary=hide(found.summary),
                hint=None if found.hint is None else hide(found.hint),
                source=None if found.source is None else hide(found.source),
            )
            for found in result.diagnostics
        ),
    )
