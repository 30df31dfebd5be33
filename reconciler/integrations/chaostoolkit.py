"""Actions and probes for Chaos Toolkit: an experiment raises, records, checks and rolls back through a stack's drill.

Each function takes the ``stack`` (a directory or file) and the ``drill`` whose resources it is about, as an experiment
gives them under ``arguments``. What it does is journalled under the stack's lease like a step of the drill; nothing is
kept between two calls, so that a rollback works in whatever state the experiment ended.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from chaoslib.exceptions import ActivityFailed

from reconciler.app.owner import owner
from reconciler.apply.lease import Owner
from reconciler.apply.result import Result
from reconciler.apply.sender import DeniedError
from reconciler.checks.canary import CanarySession
from reconciler.checks.check import read_checks
from reconciler.checks.result import CheckResult
from reconciler.checks.run import run_checks
from reconciler.config.inputs import Inputs
from reconciler.core.address import Address
from reconciler.core.desired import Kind
from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.duration import format_instant
from reconciler.drill.drill import Drill, Resource, drill_stack, to_raise, to_record
from reconciler.drill.load import read_drill
from reconciler.drill.preconditions import refusals
from reconciler.ledger.protocol import CHECK, LeaseHeldError, LeaseLostError
from reconciler.plan.plan import Plan
from reconciler.providers.protocol import ServiceError
from reconciler.session.session import StackSession, open_session
from reconciler.session.workspace import Workspace, open_workspace

__all__ = ["check", "clear_alarms", "no_active_alarms", "raise_alarms", "record_event"]

JsonResult = dict[str, object]


def raise_alarms(
    stack: str, drill: str, resources: Sequence[str] = (), variables: dict[str, str] | None = None
) -> JsonResult:
    """Raise alarms of a drill (all, or those named), each with a timeout no longer than the drill's max_duration.

    An action. What fires already is left alone. Fails where the drill's ``allowed`` or the stack's guards forbid it.
    """
    with _opened(stack, variables) as workspace:
        made = read_drill(workspace.stack, drill, list(workspace.registry), workspace.ask)
        forbidden = refusals(made, workspace.projects, workspace.clock.now())
        if forbidden:
            raise DiagnosticError(*forbidden)
        wanted = [to_raise(one.desired, made.spec.max_duration) for one in _chosen(made, resources, Kind.ALARM)]
        with _drill_session(workspace, drill) as session:
            observed = session.active()
            firing = {found.marks.address for found in observed}
            desired = [one for one in wanted if one.address not in firing]
            plan = session.plan(desired, observed, [one.address for one in desired]) if desired else None
            result = _carried_out(workspace, session, plan) if plan is not None else None
        return _notified(result, already=len(wanted) - len(desired))


def clear_alarms(stack: str, drill: str, variables: dict[str, str] | None = None) -> JsonResult:
    """Clear every alarm of a drill that is active, by its marks alone; no alarm is not an error.

    An action, made for ``rollbacks``. Fails where one of them is still active afterwards.
    """
    with _opened(stack, variables) as workspace, _drill_session(workspace, drill) as session:
        active = session.active()
        if not active:
            return _notified(None)
        result = _carried_out(workspace, session, session.plan((), active), guarded=False)
        left = [str(found.marks.address) for found in session.active()]
        if left:
            raise ActivityFailed(f"still active after they were cleared: {', '.join(left)}")
        return _notified(result)


def record_event(
    stack: str, drill: str, resource: str, occurrence: str | None = None, variables: dict[str, str] | None = None
) -> JsonResult:
    """Record an event of a drill: once for each ``occurrence``, or each time where none is given.

    An action.
    """
    with _opened(stack, variables) as workspace:
        made = read_drill(workspace.stack, drill, list(workspace.registry), workspace.ask)
        named = occurrence if occurrence is not None else format_instant(workspace.clock.now())
        desired = [to_record(one.desired, "chaostoolkit", named) for one in _chosen(made, [resource], Kind.EVENT)]
        with _drill_session(workspace, drill) as session:
            plan = session.plan(desired, session.observe(desired), [one.address for one in desired])
            return _notified(_carried_out(workspace, session, plan))


def check(stack: str, names: Sequence[str] = (), variables: dict[str, str] | None = None) -> bool:
    """Whether checks of a stack pass: all of them, or those named.

    A probe. Fails, rather than telling no, where a service could not be asked.
    """
    with _opened(stack, variables) as workspace:
        types = workspace.registry.resource_types()
        checks = read_checks(workspace.stack, types, workspace.ask, [names] if isinstance(names, str) else names)

        @contextmanager
        def canaries() -> Iterator[CanarySession]:
            with open_session(workspace, _owner(), Event(), command=CHECK) as session:
                yield CanarySession(session, workspace.refusals)

        name, query = workspace.stack.name, workspace.query
        report = run_checks(name, checks, query, canaries, workspace.clock, Event(), _Quiet(), workspace.deliveries)
        unknown = [one for one in report.results if one.verdict not in ("passed", "failed")]
        if unknown:
            raise ActivityFailed("; ".join(f"{one.name}: {one.found.reason}" for one in unknown))
        return report.passed


def no_active_alarms(stack: str, drill: str, variables: dict[str, str] | None = None) -> bool:
    """Whether no alarm of a drill is active, known by its marks.

    A probe, made for the checks_pass-state hypothesis.
    """
    with _opened(stack, variables) as workspace:
        owner = drill_stack(workspace.stack.name, drill)
        found = (one for provider in workspace.providers.values() for one in provider.observe(owner, ()))
        return not any(one.state == "active" for one in found)


@contextmanager
def _opened(stack: str, variables: dict[str, str] | None) -> Iterator[Workspace]:
    """The stack; whatever is wrong with it, or with a service, fails the activity in words."""
    inputs = Inputs(dict(variables or {}), (), dict(os.environ))
    try:
        with open_workspace(Path(stack), inputs, data=False) as workspace:
            yield workspace
    except DiagnosticError as error:
        raise ActivityFailed("; ".join(_words(one.summary, one.position) for one in error.diagnostics)) from None
    except (ServiceError, DeniedError) as error:
        raise ActivityFailed(str(error)) from None
    except (LeaseHeldError, LeaseLostError) as error:
        raise ActivityFailed(f"the stack's lease is needed: {error}") from None


@contextmanager
def _drill_session(workspace: Workspace, drill: str) -> Iterator[StackSession]:
    """A session of a drill, with every intent that an earlier run left open resolved."""
    stop = Event()
    owner = drill_stack(workspace.stack.name, drill)
    with open_session(workspace, _owner(), stop, owner=owner) as session:
        session.settle(stop)
        yield session


def _owner() -> Owner:
    found = owner()
    return found._replace(name=f"{found.name} (chaos)")


def _chosen(drill: Drill, names: Sequence[str], kind: Kind) -> list[Resource]:
    """The resources of a kind that are named; all of them where none is."""
    fitting = [one for one in drill.resources if one.desired.kind is kind]
    if not names:
        return fitting
    chosen: list[Resource] = []
    for name in [names] if isinstance(names, str) else names:
        try:
            address = Address.parse(name)
        except ValueError as error:
            raise ActivityFailed(str(error)) from None
        found = [one for one in fitting if address.covers(one.address)]
        if not found:
            known = ", ".join(str(one.address) for one in fitting) or "none"
            raise ActivityFailed(f"drill {drill.name} has no {name} for this: it has {known}")
        chosen += found
    return chosen


def _carried_out(workspace: Workspace, session: StackSession, plan: Plan, *, guarded: bool = True) -> Result:
    """Apply a plan and verify it; ActivityFailed where something of it is not done."""
    problems = [*plan.problems, *(workspace.refusals(plan) if guarded else ())]
    if problems:
        raise DiagnosticError(*problems)
    result = session.apply(plan, Event(), verify=True)
    if result.remaining:
        errors = [str(one.error) for one in result.outcomes.values() if one.error is not None]
        names = ", ".join(str(change.address) for change in result.remaining)
        raise ActivityFailed(f"not done: {names}{': ' + errors[0] if errors else ''}")
    return result


def _notified(result: Result | None, *, already: int = 0) -> JsonResult:
    """What the experiment's journal keeps."""
    done = [] if result is None else [str(change.address) for change in result.plan.pending]
    unseen = 0 if result is None else len(result.unconfirmed)
    return {"run": None if result is None else result.run, "done": done, "already": already, "unconfirmed": unseen}


def _words(summary: str, position: object) -> str:
    return f"{position}: {summary}" if position is not None else summary


class _Quiet:
    def started(self, name: str, about: str) -> None: ...

    def polled(self, name: str, reason: str) -> None: ...

    def ended(self, result: CheckResult) -> None: ...
