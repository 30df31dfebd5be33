"""Resources of a drill without its timeline: raise, clear and record them.

Each change is journalled under the stack's lease like a step of the drill. No state is kept between calls, so that
alarms can be cleared whatever an earlier call left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import NamedTuple

from reconciler.app.drill import load_drill
from reconciler.apply.lease import Owner
from reconciler.apply.result import Result
from reconciler.core.address import Address
from reconciler.core.desired import Kind
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import format_instant
from reconciler.drill.drill import Drill, DrillResource, drill_stack, to_raise, to_record
from reconciler.drill.preconditions import refusals
from reconciler.plan.plan import Plan
from reconciler.session.session import StackSession, open_session
from reconciler.session.workspace import Workspace


class ResourceChanges(NamedTuple):
    """What was sent for resources of a drill; ``result`` is None if there was nothing to send.

    ``already_active`` counts the alarms that were active before. ``still_active`` names those that remain active after
    the clear.
    """

    result: Result | None
    already_active: int = 0
    still_active: tuple[Address, ...] = ()


def raise_drill_alarms(workspace: Workspace, name: str, resources: Sequence[str], who: Owner) -> ResourceChanges:
    """Raise alarms of a drill (all, or those named), each with a timeout of at most the drill's max_duration.

    An active alarm is not pushed again. Raises DiagnosticError if the drill's ``allowed`` or the stack's guards forbid
    it.
    """
    drill = load_drill(workspace, name)
    forbidden = refusals(drill, workspace.projects, workspace.clock.now())
    if forbidden:
        raise DiagnosticError(*forbidden)
    wanted = [to_raise(one.desired, drill.spec.max_duration) for one in _selected(drill, resources, Kind.ALARM)]
    with _drill_session(workspace, name, who) as session:
        observed = session.active()
        active = {found.marks.address for found in observed}
        missing = [one for one in wanted if one.address not in active]
        already_active = len(wanted) - len(missing)
        if not missing:
            return ResourceChanges(None, already_active)
        plan = session.plan(missing, observed, [one.address for one in missing])
        return ResourceChanges(_apply(session, plan, workspace.refusals(plan)), already_active)


def clear_drill_alarms(workspace: Workspace, name: str, who: Owner) -> ResourceChanges:
    """Clear every active alarm of a drill, found by its marks alone."""
    with _drill_session(workspace, name, who) as session:
        active = session.active()
        if not active:
            return ResourceChanges(None)
        result = _apply(session, session.plan((), active))
        if result.remaining:
            return ResourceChanges(result)
        return ResourceChanges(result, still_active=tuple(found.marks.address for found in session.active()))


def record_drill_event(
    workspace: Workspace, name: str, resource: str, occurrence: str | None, who: Owner, run: str
) -> ResourceChanges:
    """Record an event of a drill once per ``occurrence`` of a ``run``; None is a new occurrence each time."""
    drill = load_drill(workspace, name)
    step = occurrence if occurrence is not None else format_instant(workspace.clock.now())
    desired = [to_record(one.desired, run, step) for one in _selected(drill, [resource], Kind.EVENT)]
    with _drill_session(workspace, name, who) as session:
        plan = session.plan(desired, session.observe(desired), [one.address for one in desired])
        return ResourceChanges(_apply(session, plan, workspace.refusals(plan)))


@contextmanager
def _drill_session(workspace: Workspace, name: str, who: Owner) -> Iterator[StackSession]:
    """A session of a drill in which every open intent of earlier runs has been settled."""
    stop = Event()
    with open_session(workspace, who, stop, owner=drill_stack(workspace.stack.name, name)) as session:
        session.resolve_open_intents(stop)
        yield session


def _apply(session: StackSession, plan: Plan, refused: Sequence[Diagnostic] = ()) -> Result:
    problems = [*plan.problems, *refused]
    if problems:
        raise DiagnosticError(*problems)
    return session.apply(plan, Event(), verify=True)


def _selected(drill: Drill, names: Sequence[str], kind: Kind) -> list[DrillResource]:
    """The named resources of a kind, or all of them if none is named."""
    candidates = [one for one in drill.resources if one.desired.kind is kind]
    if not names:
        return candidates
    selected: list[DrillResource] = []
    for name in names:
        try:
            address = Address.parse(name)
        except ValueError as error:
            raise DiagnosticError(Diagnostic(str(error))) from None
        found = [one for one in candidates if address.covers(one.address)]
        if not found:
            known = ", ".join(str(one.address) for one in candidates) or "none"
            raise DiagnosticError(Diagnostic(f"drill {drill.name} has no {kind} {name}; it has {known}"))
        selected += found
    return selected
