"""The results of units of a fleet, from the plan of a stack or the result of an apply."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from reconciler.app.apply import apply_exit_code
from reconciler.app.unit import MAX_CHANGES, Unit, UnitChange, UnitResult, UnitState
from reconciler.apply.result import ApplyStatus, Result
from reconciler.core.action import Action
from reconciler.core.diagnostic import Diagnostic, Severity
from reconciler.core.exit_code import ExitCode
from reconciler.plan.plan import Change, Plan


def planned(unit: Unit, plan: Plan) -> UnitResult:
    """The result of a unit that made a plan."""
    code = ExitCode.ERROR if plan.problems else ExitCode.CHANGES if plan.pending else ExitCode.DONE
    return UnitResult(
        unit,
        UnitState.FAILED if plan.problems else UnitState.DONE,
        code,
        counts=_counts(plan.changes),
        drift=sum(change.drift for change in plan.pending),
        changes=_named(plan.pending),
        diagnostics=(*plan.problems, *plan.warnings),
        plan_id=plan.id,
    )


def applied(unit: Unit, result: Result) -> UnitResult:
    """The result of a unit that applied a plan."""
    code = apply_exit_code(result)
    state = UnitState.FAILED if code else UnitState.DONE
    remaining = result.remaining
    left = set(map(id, remaining))
    done = [change for change in result.plan.changes if id(change) not in left]
    return UnitResult(
        unit,
        UnitState.INTERRUPTED if code is ExitCode.INTERRUPTED else state,
        code,
        counts=_counts(done),
        drift=sum(change.drift for change in result.plan.pending),
        changes=_named([change for change in done if change.action is not Action.NO_OP]),
        remaining=len(remaining),
        diagnostics=(
            *_stopped(result),
            *_undone(result, remaining[:MAX_CHANGES]),
            *_uncertain(result),
            *result.plan.warnings,
        ),
        run=result.run or None,
        plan_id=result.plan.id,
    )


def _stopped(result: Result) -> Iterator[Diagnostic]:
    """Why a run ended early; an interruption is a state of its own, and an internal error is told elsewhere."""
    match result.ending:
        case ApplyStatus.DEADLINE:
            yield Diagnostic("the deadline passed: nothing new was sent", hint="give it more time with --deadline")
        case ApplyStatus.LEDGER_FAILED:
            yield Diagnostic(f"it can no longer be journalled, so nothing new was sent: {result.cause}")
        case ApplyStatus.LEASE_LOST | ApplyStatus.DENIED:
            yield Diagnostic(str(result.cause))


def _undone(result: Result, changes: Sequence[Change]) -> Iterator[Diagnostic]:
    """Why changes are not done, each by its worst operation."""
    for change in changes:
        status = result.status(change)
        outcomes = [result.outcomes.get(operation.key) for operation in change.operations]
        errors = [outcome.error for outcome in outcomes if outcome is not None and outcome.error is not None]
        reason = f": {errors[0].message}" if errors else ""
        text = f"{change.action} {change.address}: {'not started' if status is None else status}{reason}"
        yield Diagnostic(text, address=str(change.address))


def _counts(changes: Iterable[Change]) -> Mapping[str, int]:
    return Counter(change.action.value for change in changes)


def _named(changes: Sequence[Change]) -> tuple[UnitChange, ...]:
    return tuple(
        UnitChange(change.action, str(change.address), change.reason, change.drift) for change in changes[:MAX_CHANGES]
    )


def _uncertain(result: Result) -> Iterator[Diagnostic]:
    """Warnings about what is done, but not visible, or maybe twice."""
    for keys, text in (
        (result.unconfirmed, "done, but not visible yet"),
        (result.possible_duplicates, "pushed again, and may fire twice until the next apply"),
    ):
        if keys:
            found = list(dict.fromkeys(str(item.address) for item in result.plan.operations if item.key in keys))
            some = ", ".join(found[:MAX_CHANGES]) + (", ..." if len(found) > MAX_CHANGES else "")
            yield Diagnostic(f"{text}: {some}", severity=Severity.WARNING)
