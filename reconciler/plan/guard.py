"""Guards: whether a plan exceeds what its configuration allows without ``--force`` (rule 12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from reconciler.core.action import Action
from reconciler.core.desired import Desired, Kind, severity_of
from reconciler.core.diagnostic import Diagnostic, Severity
from reconciler.core.observed import is_unmanaged
from reconciler.core.operation import Verb
from reconciler.core.target import canonical_endpoint
from reconciler.plan.plan import Change, Plan

if TYPE_CHECKING:
    from reconciler.core.guards import Guards, TypeGuards

SMALL_STACK = 9
"""The largest number of alarms in a stack that the default guard allows to be cleared all at once."""


def violations(
    plan: Plan,
    guards: Guards | None,
    projects: Mapping[str, str],
    declared: Sequence[Desired] = (),
    *,
    destroy: bool = False,
) -> tuple[Diagnostic, ...]:
    """One diagnostic for each violated guard, with the numbers; without guards the default one holds.

    ``projects`` maps the keys of providers to their project ids. ``declared`` is everything that the stack declares,
    even if the plan is limited to a part. ``destroy`` says that all alarms are to be cleared; no default guard forbids
    that.
    """
    return tuple(_violations(plan, guards, projects, declared, destroy))


def alarm_count(plan: Plan, declared: Sequence[Desired]) -> int:
    """The number of alarms in a stack: those declared firing, and others that the plan found active."""
    wanted = {item.address for item in declared if item.kind is not Kind.EVENT and item.firing}
    wanted |= {change.address for change in plan.changes if _is_wanted(change)}
    found = {change.address: len(change.before) for change in plan.changes if change.before}
    return sum(found.values()) + len(wanted - found.keys())


def _is_wanted(change: Change) -> bool:
    return change.desired is not None and change.desired.kind is not Kind.EVENT and change.desired.firing


def _violations(
    plan: Plan, guards: Guards | None, projects: Mapping[str, str], declared: Sequence[Desired], destroy: bool
) -> Iterator[Diagnostic]:
    alarms = alarm_count(plan, declared)
    if guards is not None:
        yield from _beyond_limits(plan, guards, alarms)
    if (guards is None or guards.max_clears is None) and alarms > SMALL_STACK and not destroy:
        lost = sum(_lost(change) for change in plan.changes)
        if lost > alarms // 2:
            why = "alarms; more than half needs --force or guards.max_clears"
            hint = "if this is intended, add --force, or set guards.max_clears"
            yield _refused(f"the plan clears {lost:,} of the stack's {alarms:,} {why}", hint=hint)
    if guards is not None:
        for name, limits in guards.types.items():
            yield from _type_violations(plan, name, limits, declared)
        yield from _foreign_endpoints(plan, guards.endpoints)
        yield from _foreign_changes(plan, guards, projects)


def _beyond_limits(plan: Plan, guards: Guards, alarms: int) -> Iterator[Diagnostic]:
    changes = len(plan.pending)
    if guards.max_changes is not None and changes > allowed(guards.max_changes, alarms):
        told = f"the plan makes {_count(changes, 'change')}, and guards.max_changes allows"
        yield _refused(f"{told} {_limit(guards.max_changes, alarms)}")
    if guards.max_clears is not None:
        clears = sum(_clears(change) for change in plan.changes)
        if clears > allowed(guards.max_clears, alarms):
            told = f"the plan clears {_count(clears, 'alarm')}, and guards.max_clears allows"
            yield _refused(f"{told} {_limit(guards.max_clears, alarms)}")


def _foreign_changes(plan: Plan, guards: Guards, projects: Mapping[str, str]) -> Iterator[Diagnostic]:
    """The changes that push a severity, or touch a project, that is not allowed."""
    if guards.severities is None and guards.projects is None:
        return
    for change in plan.pending:
        severity = _severity(change)
        if guards.severities is not None and severity is not None and severity not in guards.severities:
            names = ", ".join(guards.severities) or "none"
            yield _refused(f"{change.address} has severity {severity}, and guards.severities allows {names}", change)
        for provider in dict.fromkeys([change.provider, *(operation.provider for operation in change.operations)]):
            project = projects.get(provider)
            if guards.projects is not None and project is not None and project not in guards.projects:
                names = ", ".join(guards.projects) or "none"
                yield _refused(f"{change.address} is in project {project}, and guards.projects allows {names}", change)


def allowed(limit: int | str, alarms: int) -> int:
    """The number that a limit of guards allows in a stack with this number of alarms."""
    return limit if isinstance(limit, int) else int(alarms * Fraction(limit.removesuffix("%")) / 100)


def _type_violations(plan: Plan, name: str, limits: TypeGuards, declared: Sequence[Desired]) -> Iterator[Diagnostic]:
    part = plan._replace(changes=tuple(change for change in plan.changes if change.address.type == name))
    alarms = alarm_count(part, [item for item in declared if item.address.type == name])
    done = {
        "max_changes": (limits.max_changes, len(part.pending), "makes", "change"),
        "max_clears": (limits.max_clears, sum(map(_clears, part.changes)), "clears", "alarm"),
    }
    for guard, (limit, number, verb, noun) in done.items():
        if limit is not None and number > allowed(limit, alarms):
            told = f"the plan {verb} {_count(number, noun)} of type {name}, and guards.types.{name}.{guard} allows"
            yield _refused(f"{told} {_limit(limit, alarms, whole=f'alarms of type {name}')}")


def _foreign_endpoints(plan: Plan, endpoints: Sequence[str] | None) -> Iterator[Diagnostic]:
    """The providers that a plan would send to although their endpoint is not allowed."""
    if endpoints is None:
        return
    permitted = {canonical_endpoint(text) for text in endpoints}
    for key in dict.fromkeys(operation.provider for operation in plan.operations):
        target = plan.targets.get(key)
        for place in target.place.split(",") if target is not None else ():
            if place not in permitted:
                names = ", ".join(endpoints) or "none"
                yield _refused(f"provider {key} points at {place}, and guards.endpoints allows {names}")


def _clears(change: Change) -> int:
    """How many alarms a change certainly clears."""
    return sum(operation.verb is Verb.CLEAR and not operation.only_if_duplicate for operation in change.operations)


def _lost(change: Change) -> int:
    """How many alarms a change clears without a replacement."""
    return max(0, _clears(change) - (change.action is Action.REPLACE))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _limit(limit: int | str, alarms: int, whole: str | None = None) -> str:
    if isinstance(limit, int):
        return f"{limit:,}"
    if whole is not None:
        return f"{limit} of its {alarms:,} {whole}, which is {allowed(limit, alarms):,}"
    return f"{limit} of the stack's {_count(alarms, 'alarm')}, which is {allowed(limit, alarms):,}"


def _severity(change: Change) -> str | None:
    """The severity that the change would push; None if it pushes nothing, or nothing with a severity."""
    if change.desired is None or not any(operation.verb is Verb.PUSH for operation in change.operations):
        return None
    return severity_of(change.desired.identity)


def _refused(
    summary: str, change: Change | None = None, *, hint: str = "if this is intended, add --force"
) -> Diagnostic:
    desired = change.desired if change else None
    return Diagnostic(
        summary,
        desired.position if desired else None,
        hint,
        address=str(change.address) if change else None,
    )


def keys_to_clear(plan: Plan) -> list[str]:
    """The keys in the marks of each alarm of the stack that a plan clears."""
    cleared = (found for change in plan.changes if change.operations for found in change.clears)
    return [found.marks.key for found in cleared if not is_unmanaged(found.marks)]


def provenance_warning(cleared: int, unknown: int) -> Diagnostic | None:
    """A warning with the number of ``cleared`` alarms that the ledger has no push of; None if there are none."""
    if not unknown:
        return None
    noun, verb = ("alarm", "was") if cleared == 1 else ("alarms", "were")
    return Diagnostic(
        f"{unknown:,} of {cleared:,} {noun} to clear {verb} never pushed by this stack, as far as its ledger knows",
        hint="on a machine that does not have the stack's ledger this is expected; otherwise make sure that nobody "
        "else uses the stack's name before you clear them",
        severity=Severity.WARNING,
    )
