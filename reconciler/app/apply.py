"""Applying a plan under the stack's lease: what ``apply`` and ``destroy`` have in common."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import Enum, auto
from threading import Event
from typing import NamedTuple, Protocol

from reconciler.app.ledger import owner
from reconciler.app.plan import plan_view
from reconciler.app.settle import settle_open
from reconciler.apply.executor import apply_plan
from reconciler.apply.lease import leased
from reconciler.apply.options import DEADLINE, Options, Progress
from reconciler.apply.result import ApplyStatus, Result, RunFailedError
from reconciler.apply.settle import Settlement
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import parse_duration
from reconciler.core.exit_code import ExitCode
from reconciler.core.operation import Status
from reconciler.ledger.protocol import Holder, Ledger, RunState, is_at
from reconciler.plan.plan import ALL, Plan, Selection
from reconciler.plan.stale import moved_targets
from reconciler.session import saved_plan  # most applies create their plan in the same process
from reconciler.session.workspace import Workspace


class Operator(Protocol):
    """Callbacks of an apply: progress, approval, interruption."""

    def settled(self, settlement: Settlement) -> None:
        """Called with the outcomes of operations that earlier runs left open."""

    def review(self, plan: Plan) -> None:
        """Called with the plan that is about to be applied or refused."""

    def approve(self, plan: Plan) -> bool:
        """Whether to apply the plan."""

    def working(self, stop: Event) -> AbstractContextManager[Progress]:
        """The progress watcher while the run works; an interrupt sets ``stop`` meanwhile."""


class Cutting(Protocol):
    """Carries a plan out in shards: ``reconciler.app.cut.Cut``."""

    def check(self, workspace: Workspace) -> None:
        """Raise DiagnosticError if the plan cannot be cut into shards."""

    def apply(
        self,
        workspace: Workspace,
        plan: Plan,
        ledger: Ledger,
        holder: Holder,
        *,
        stop: Event,
        command: str,
        options: Options,
        progress: Progress,
    ) -> Result:
        """Carry out a plan, as ``apply_plan`` does."""


class ApplyRequest(NamedTuple):
    """What to apply; ``command`` is its name in the ledger and the summary. With ``cut`` the plan is applied in
    shards.
    """

    command: str
    options: Options
    force: bool = False
    cut: Cutting | None = None


class FailedRun(NamedTuple):
    """A run that an internal error ended after it had begun: what is known of it, and the error."""

    result: Result
    error: Exception


class NotRun(Enum):
    """Why there is no result."""

    INTERRUPTED = auto()
    ALREADY_APPLIED = auto()
    DECLINED = auto()


def apply_stack(
    workspace: Workspace, request: ApplyRequest, operator: Operator, selection: Selection = ALL
) -> Result | FailedRun | NotRun:
    """Plan what the stack declares and apply it. Raises DiagnosticError, ServiceError, LeaseHeldError."""
    return _execute(
        workspace, request, operator, lambda ledger: plan_view(workspace, workspace.ledger_view(ledger), selection)
    )


def destroy_stack(
    workspace: Workspace, request: ApplyRequest, operator: Operator, selection: Selection = ALL
) -> Result | FailedRun | NotRun:
    """Clear every alarm the stack owns. Raises DiagnosticError, ServiceError, LeaseHeldError."""
    return _execute(
        workspace,
        request,
        operator,
        lambda ledger: plan_view(workspace, workspace.ledger_view(ledger), selection, destroy=True),
    )


def apply_saved(
    workspace: Workspace, request: ApplyRequest, operator: Operator, plan: Plan
) -> Result | FailedRun | NotRun:
    """Apply a saved plan as it was shown.

    Raises DiagnosticError if the stack or the service has changed since; if a target has changed, before anything is
    queried.
    """
    moved = tuple(moved_targets(plan, workspace.targets))
    if moved:
        raise DiagnosticError(*moved)
    return _execute(workspace, request, operator, lambda ledger: _still_due(workspace, ledger, plan))


def apply_exit_code(result: Result) -> ExitCode:
    """The exit code for a result."""
    if result.ending is ApplyStatus.INTERRUPTED:
        return ExitCode.INTERRUPTED
    if result.ending is ApplyStatus.COMPLETE and not result.remaining:
        return ExitCode.DONE
    return ExitCode.PARTIAL if result.may_have_sent else ExitCode.ERROR


def _execute(
    workspace: Workspace, request: ApplyRequest, operator: Operator, planned: Callable[[Ledger], Plan | None]
) -> Result | FailedRun | NotRun:
    """Take the lease, settle open operations, plan, ask for approval, apply.

    ``planned`` makes or checks the plan after everything is settled; None means that it has been applied already.
    """
    if request.cut is not None:
        request.cut.check(workspace)
    ledger = workspace.open_ledger()
    stop = Event()
    with leased(ledger, owner(), workspace.clock, stop, workspace.lease_wait) as holder:
        with operator.working(stop) as progress:
            destroy = request.command == "destroy"
            # A renamed event may be in doubt under its old name: this must be settled before planning. Shard workers
            # cannot settle what is in doubt.
            wait = bool(workspace.stack.moves) or request.cut is not None
            settlement = settle_open(workspace, ledger, holder, stop, progress, wait_for_events=wait, destroy=destroy)
        operator.settled(settlement)
        if stop.is_set():
            return NotRun.INTERRUPTED
        plan = planned(ledger)
        if plan is None:
            return NotRun.ALREADY_APPLIED
        problems = (
            plan.problems
            or _doubts(workspace, settlement, plan)
            or (() if request.force else workspace.refusals(plan, destroy=destroy))
        )
        if problems:
            operator.review(plan)
            raise DiagnosticError(*problems)
        if not plan.pending:
            now = workspace.clock.now()
            return Result(plan, "", now, now, ApplyStatus.COMPLETE, {}, command=request.command)
        operator.review(plan)
        if not operator.approve(plan):
            return NotRun.DECLINED
        with operator.working(stop) as progress:
            try:
                if request.cut is not None:
                    return request.cut.apply(
                        *(workspace, plan, ledger, holder),
                        stop=stop,
                        command=request.command,
                        options=request.options,
                        progress=progress,
                    )
                return apply_plan(
                    plan,
                    workspace.providers,
                    ledger,
                    holder,
                    clock=workspace.clock,
                    stop=stop,
                    command=request.command,
                    options=request.options,
                    progress=progress,
                    targets=workspace.target_texts,
                )
            except RunFailedError as error:
                return FailedRun(error.result, error.__cause__ if isinstance(error.__cause__, Exception) else error)


def _doubts(workspace: Workspace, settlement: Settlement, plan: Plan) -> tuple[Diagnostic, ...]:
    """Why a plan may not record events that may be on record already, under an earlier address.

    A run waits for what is in doubt under the address that it sends.
    """
    left = [entry.operation for entry in settlement.open if is_at(entry, workspace.target_texts)]
    moved = workspace.stack.moves.destination
    earlier = {(moved(item.address), item.occurrence or ""): item.address for item in left}
    pending = (item for item in (plan.operations if earlier else ()) if item.occurrence and not item.is_recorded)
    return tuple(
        Diagnostic(
            f"{item.address} may be on record already, as {source}: the service could not be queried",
            hint="apply again once the service answers",
            address=str(item.address),
        )
        for item in pending
        if (source := earlier.get((item.address, item.occurrence or ""), item.address)) != item.address
    )


def _still_due(workspace: Workspace, ledger: Ledger, plan: Plan) -> Plan | None:
    """A saved plan, if it may be applied; None if it has been applied completely."""
    if plan.stack == workspace.stack.name and (
        _is_applied(plan, ledger) or saved_plan.shows_effects(workspace, plan, ledger)
    ):
        return None
    refused = saved_plan.refusals(workspace, plan, ledger)
    if refused:
        raise DiagnosticError(*refused)
    return plan


def _is_applied(plan: Plan, ledger: Ledger) -> bool:
    """Whether a saved plan has been applied completely.

    A conditional clear has an outcome only if there was a duplicate: a plan with such clears is complete if one of its
    runs is.
    """
    certain = [operation.key for operation in plan.operations if not operation.only_if_duplicate]
    statuses = ledger.statuses(certain)
    if not certain or any(statuses.get(key) is not Status.DONE for key in certain):
        return False
    conditional = any(operation.only_if_duplicate for operation in plan.operations)
    return not conditional or any(run.plan_id == plan.id and run.state is RunState.DONE for run in ledger.runs())


def run_options(parallelism: int | None, no_verify: bool, deadline: str | None) -> Options:
    """How to carry out a plan. Raises DiagnosticError if the deadline is not a duration."""
    try:
        longest = DEADLINE if deadline is None else parse_duration(deadline)
    except ValueError as error:
        raise DiagnosticError(Diagnostic(f"--deadline: {error}")) from None
    return Options(parallelism=parallelism, verify=not no_verify, deadline=longest)
