"""The status of a stack: its active alarms and silences, until when, who raised them, and what drifted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Kind
from reconciler.core.observed import Observed, State
from reconciler.core.origin import Origin
from reconciler.core.resource_type import ResourceType
from reconciler.ledger.protocol import Holder, Ledger, LedgerView, Run
from reconciler.plan.plan import Change, Plan
from reconciler.plan.state import forgotten_mark
from reconciler.session.planning import make_stack_plan
from reconciler.session.workspace import Workspace


class AlarmState(StrEnum):
    """The state of an alarm or a silence now."""

    FIRING = "firing"
    SUPPRESSED = "suppressed"
    """Firing, but the service suppresses its notifications."""
    NOT_FIRING = "not firing"
    """Declared to fire, but not firing."""
    IN_FORCE = "in force"
    """A silence that is pending or active."""
    NOT_IN_FORCE = "not in force"
    """A silence that is declared, but neither pending nor active."""


class RaisedBy(NamedTuple):
    """The plan that pushed an alarm, and the run that applied it; None if the ledger does not have that run."""

    plan_id: str
    run: str | None
    origin: Origin | None


class AlarmStatus(NamedTuple):
    """One alarm or silence of the stack.

    ``observed`` is None if the service does not show it. ``reason`` says what differs from the configuration, and
    ``action`` what apply would do about it; ``drift`` says that the service has changed, not the configuration.
    """

    address: Address
    provider: str
    state: AlarmState
    reason: str
    action: Action
    drift: bool = False
    observed: Observed | None = None
    raised_by: RaisedBy | None = None


class StackStatus(NamedTuple):
    """The alarms of a stack at an instant (epoch ms), and the holder of its lease; ``plan`` is what apply would do.

    ``declared`` counts the alarms that should fire, ``last_apply`` is the newest apply that has ended.
    """

    stack: str
    at: int
    alarms: tuple[AlarmStatus, ...]
    declared: int
    holder: Holder | None
    plan: Plan
    last_apply: Run | None = None

    def count(self, state: AlarmState) -> int:
        return sum(alarm.state is state for alarm in self.alarms)

    @property
    def drift(self) -> int:
        """How many addresses have drifted."""
        return sum(change.drift for change in self.plan.pending)


def stack_status(workspace: Workspace) -> StackStatus:
    """Query the services and read the ledger; changes nothing.

    Raises DiagnosticError if the ledger cannot be read, and ServiceError if a service cannot be queried.
    """
    view = workspace.read_ledger_view()
    observed = workspace.observe()
    plan = make_stack_plan(workspace, view, observed=observed)
    with workspace.reading_ledger() as ledger:
        runs = ledger.runs()
        alarms = tuple(_alarms(plan, observed, _Raisers(ledger, runs), workspace.resource_types, view))
        holder = ledger.holder(workspace.clock.now())
    declared = sum(item.kind is Kind.ALARM and item.firing for item in workspace.stack.desired)
    return StackStatus(workspace.stack.name, plan.planned_at, alarms, declared, holder, plan, _last_apply(runs))


def last_apply(workspace: Workspace) -> Run | None:
    """The newest apply or destroy of a stack in this ledger that has ended."""
    with workspace.reading_ledger() as ledger:
        return _last_apply(ledger.runs())


def _last_apply(runs: Sequence[Run]) -> Run | None:
    return next((run for run in runs if run.command in ("apply", "destroy") and run.ended_at is not None), None)


class _Raisers:
    """Finds the run that pushed an alarm: the alarm's mark has the plan's id; of its runs, the newest one with
    the key.
    """

    def __init__(self, ledger: Ledger, runs: Sequence[Run]) -> None:
        self._ledger = ledger
        self._runs: dict[str, list[Run]] = {}
        for run in runs:
            self._runs.setdefault(run.plan_id, []).append(run)
        self._keys: dict[str, frozenset[str]] = {}

    def of(self, found: Observed) -> RaisedBy:
        runs = self._runs.get(found.marks.run, [])
        if len(runs) > 1:
            runs = [run for run in runs if found.marks.key in self._sent(run)] or runs
        return RaisedBy(found.marks.run, runs[0].id, runs[0].origin) if runs else RaisedBy(found.marks.run, None, None)

    def _sent(self, run: Run) -> frozenset[str]:
        if run.id not in self._keys:
            self._keys[run.id] = frozenset(entry.operation.key for entry in self._ledger.entries(run.id))
        return self._keys[run.id]


def _alarms(
    plan: Plan, observed: Sequence[Observed], raisers: _Raisers, types: Mapping[str, ResourceType], view: LedgerView
) -> Iterator[AlarmStatus]:
    """Every alarm and silence that is active or declared, in plan order.

    Alarms that no plan changes (canaries and forgotten alarms) come last.
    """
    in_plan: set[tuple[str, str]] = set()
    for change in plan.changes:
        for found in change.before:
            in_plan.add((found.provider, found.id))
            yield _present(found, change.reason, change, raisers, types)
        if not change.before and change.desired is not None and change.desired.firing:
            absent = _ABSENT.get(change.desired.kind)
            if absent is not None:
                yield AlarmStatus(change.address, change.provider, absent, change.reason, change.action, change.drift)
    for found in observed:
        if found.state is State.ACTIVE and (found.provider, found.id) not in in_plan:
            yield _present(found, _left_alone(found, view), None, raisers, types)


def _present(
    found: Observed, reason: str, change: Change | None, raisers: _Raisers, types: Mapping[str, ResourceType]
) -> AlarmStatus:
    return AlarmStatus(
        found.marks.address,
        found.provider,
        _state(found, types),
        reason,
        Action.NO_OP if change is None else change.action,
        change is not None and change.drift,
        found,
        raisers.of(found),
    )


def _left_alone(found: Observed, view: LedgerView) -> str:
    """Why no plan changes an alarm that has the stack's marks."""
    if (found.marks.address, forgotten_mark(found)) in view.recorded:
        return "forgotten: left firing, no longer managed"
    return "left to the check that raised it"


def _state(found: Observed, types: Mapping[str, ResourceType]) -> AlarmState:
    kind = types.get(found.marks.address.type)
    if kind is not None and kind.kind is Kind.SILENCE:
        return AlarmState.IN_FORCE
    return AlarmState.SUPPRESSED if found.suppressed_by else AlarmState.FIRING


_ABSENT = {Kind.ALARM: AlarmState.NOT_FIRING, Kind.SILENCE: AlarmState.NOT_IN_FORCE}
