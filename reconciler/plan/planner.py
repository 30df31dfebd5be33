"""The planner: a pure function from desired, observed, the ledger's view and an instant to a plan."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind
from reconciler.core.diagnostic import Diagnostic, Severity
from reconciler.core.duration import rough_duration
from reconciler.core.gc_tuning import gc_disabled
from reconciler.core.moves import NO_MOVES, Moves
from reconciler.core.observed import Observed
from reconciler.core.operation import Operation
from reconciler.core.resource_type import EndsFirst, NotesUpdates, ResourceType
from reconciler.core.target import Target
from reconciler.ledger.protocol import LedgerView
from reconciler.plan.decision import decide, moved, undeclared_changes
from reconciler.plan.difference import shown_differences
from reconciler.plan.operations import operations_of, plan_id
from reconciler.plan.plan import Change, Plan
from reconciler.plan.state import KnownState, fingerprint, is_live_canary, merge

if TYPE_CHECKING:
    from reconciler.core.imports import Lookup


def make_plan(
    stack: str,
    desired: Sequence[Desired],
    observed: Iterable[Observed],
    now: int,
    *,
    types: Mapping[str, ResourceType],
    ledger: LedgerView | None = None,
    history: Iterable[Observed] = (),
    config_digest: str = "",
    providers: Mapping[str, str] | None = None,
    places: Mapping[str, Target] | None = None,
    targets: Sequence[Address] = (),
    exclude: Sequence[Address] = (),
    replace: Sequence[Address] = (),
    moves: Moves = NO_MOVES,
    removed: Sequence[Address] = (),
    imports: Mapping[Address, Lookup] = MappingProxyType({}),
    destroy: bool = False,
) -> Plan:
    """Compare the declaration with what was observed and compute every change.

    ``now`` is epoch milliseconds. ``history`` has ended alarms at the addresses that ``absent_addresses`` names, and
    only affects reasons. ``places`` is the target of each provider. ``targets`` limits the plan to the addresses they
    cover, ``exclude`` leaves addresses out, ``replace`` raises active alarms again. ``moves`` are the renames,
    ``removed`` the addresses that keep firing undeclared, ``imports`` what is adopted at declared addresses.
    ``destroy`` clears every alarm of the stack. The order of ``observed`` does not matter; changes are in the order of
    ``desired``, undeclared ones last. An active canary is left to its check.
    """
    with gc_disabled():
        known = merge(stack, observed, ledger or LedgerView(), history)
        decided = _due_changes(desired, known, now, targets, moves, removed, destroy)
        kept = [change for change in decided if not any(_is_covered(exclude, one) for one in change.addresses)]
        ordered = [
            _raised_again(change, types, now) if _is_covered(replace, change.address) else change for change in kept
        ]
        if imports:
            from reconciler.plan.imports import import_warnings, imported

            ordered = [
                imported(change, imports[change.address], stack) if change.address in imports else change
                for change in ordered
            ]
        changes = tuple(_noted(_ended_first(change, types, now), types) for change in ordered)
        basis = {
            str(address): fingerprint(address, change.desired, known)
            for change in changes
            if change.action is not Action.NO_OP
            for address in change.addresses
        }
        warnings = (
            *_orphan_warnings(known, targets, places or {}),
            *_rename_warnings(changes, types, destroy=destroy),
            *(import_warnings(changes, types) if imports else ()),
            *_excluded_dependencies(decided, changes),
        )
        plan = Plan(
            *("", stack, now, config_digest, changes, basis, providers or {}),
            warnings=warnings,
            targets=places or {},
        )
        plan = plan._replace(id=plan_id(plan), changes=())
        pending = list(changes)
        del decided, kept, ordered, changes  # each change is freed when its version with operations is made
        return _with_operations(plan, pending, types)


def with_operations(plan: Plan, types: Mapping[str, ResourceType]) -> Plan:
    """The plan with its id, the operations of each change, and the problems that forbid sending them."""
    return _with_operations(plan._replace(id=plan_id(plan)), list(plan.changes), types)


def _with_operations(plan: Plan, changes: list[Change], types: Mapping[str, ResourceType]) -> Plan:
    """Like ``with_operations`` for these changes; the list is emptied."""
    problems: list[Diagnostic] = []
    for place, change in enumerate(changes):
        if change.action is not Action.NO_OP or change.problem is not None:
            changes[place] = change._replace(operations=_attempt(change, plan, types, problems))
    return plan._replace(changes=tuple(changes), problems=tuple(problems))


def _due_changes(
    desired: Sequence[Desired],
    known: KnownState,
    now: int,
    targets: Sequence[Address],
    moves: Moves,
    removed: Sequence[Address],
    destroy: bool,
) -> list[Change]:
    wanted = [item for item in desired if _targeted(item.address, targets)]
    if destroy:
        wanted = [item._replace(firing=False) for item in wanted if item.kind is not Kind.EVENT]
    declared = {item.address for item in desired}
    changes = [_declared(item, known, now, moves) for item in wanted]
    if destroy:
        changes = [_destroyed(change) for change in changes]
    taken = {source for change in changes if _holds(change, known) for source in moves.sources(change.address)}
    undone = (
        address
        for address in known.active
        if address not in declared and address not in taken and _targeted(address, targets)
    )
    gone = sorted((address for address in undone if destroy or not is_live_canary(address, known, now)), key=str)
    for address in gone:
        why = _why_gone(address, declared, moves, destroy)
        changes += undeclared_changes(address, known, why, removed, moves.destination(address))
    return changes


def _declared(item: Desired, known: KnownState, now: int, moves: Moves) -> Change:
    sources = moves.sources(item.address) if moves else ()
    taken = moved(item, known, sources, now) if sources else None
    return decide(item, known, now) if taken is None else taken


def _holds(change: Change, known: KnownState) -> bool:
    """Whether alarms at earlier addresses must not be cleared as undeclared: the change moves them, waits for its own
    push to become visible, or needs a decision of the user.
    """
    return change.moved_from is not None or change.problem is not None or change.address in known.pending


def _why_gone(address: Address, declared: Container[Address], moves: Moves, destroy: bool) -> str:
    if destroy:
        return "the stack is being destroyed"
    now_at = moves.destination(address)
    if now_at == address:
        return "no longer in the configuration"
    if now_at in declared:
        return f"moved to {now_at}, which fires already"
    return f"moved to {now_at}, which is not in the configuration"


def _ended_first(change: Change, types: Mapping[str, ResourceType], now: int) -> Change:
    """The change, or a replace if its type requires one."""
    old, desired = change.refreshes, change.desired
    if old is None or desired is None or change.begins_at is None or change.takes_over:
        return change
    resource = types[change.address.type]
    if not isinstance(resource, EndsFirst) or not resource.must_end_first(desired, old, change.begins_at):
        return change
    return change._replace(action=Action.REPLACE, begins_at=now)


def _raised_again(change: Change, types: Mapping[str, ResourceType], now: int) -> Change:
    """The change, or a replace of active alarms: cleared, then pushed again, even if nothing differs."""
    desired = change.desired
    if desired is None or not desired.firing or desired.kind is Kind.EVENT or change.problem is not None:
        return change._replace(problem=_not_replaceable(change))
    if not change.before or change.moved_from is not None:
        return change
    again = change._replace(
        action=Action.REPLACE, reason="requested by --replace", clears=change.before, refreshes=None
    )
    again = again._replace(begins_at=now, drift=False, differences=shown_differences(change))
    newest = next((found for found in change.before if found.identity == desired.identity), None)
    if newest is None or not isinstance(types[change.address.type], EndsFirst):
        return again
    # One request, so that the service does not treat the two as the same alarm.
    return again._replace(refreshes=newest, clears=tuple(found for found in change.before if found is not newest))


def _not_replaceable(change: Change) -> Diagnostic:
    desired = change.desired
    if change.problem is not None:
        return change.problem
    if desired is None:
        why = "it is not in the configuration"
    elif desired.kind is Kind.EVENT:
        why = "an event is recorded once, and never again: declare another occurrence"
    else:
        why = "it is declared cleared"
    place = desired.position if desired is not None else None
    return Diagnostic(f"--replace {change.address}: {why}", place, address=str(change.address))


def _orphan_warnings(
    known: KnownState, targets: Sequence[Address], places: Mapping[str, Target]
) -> Iterable[Diagnostic]:
    """Warnings about alarms at targets that the configuration no longer points to."""
    if not known.ledger.orphans:
        return ()
    from reconciler.plan.orphans import orphan_warnings

    return orphan_warnings(known, targets, places)


def _rename_warnings(
    changes: Sequence[Change], types: Mapping[str, ResourceType], *, destroy: bool
) -> tuple[Diagnostic, ...]:
    """Notes about moved objects, and hints about objects that look renamed."""
    if not any(change.action in (Action.MOVE, Action.CLEAR) for change in changes):
        return ()
    from reconciler.plan.renames import move_warnings, rename_hints

    return (*move_warnings(changes, types), *(() if destroy else rename_hints(changes)))


def _excluded_dependencies(decided: Sequence[Change], kept: Sequence[Change]) -> Iterator[Diagnostic]:
    """A warning for each excluded address that is not as declared, and that something depends on."""
    left = {change.address for change in kept}
    due = (change.address for change in decided if change.action is not Action.NO_OP)
    out = {name for address in due if address not in left for name in (address, address._replace(key=None))}
    waiting: dict[Address, list[str]] = {}
    for change in kept if out else ():
        needed = change.desired.depends_on if change.desired is not None and change.action is not Action.NO_OP else ()
        for address in needed:
            if address in out:
                waiting.setdefault(address, []).append(str(change.address))
    for address, names in waiting.items():
        verb = "depends" if len(names) == 1 else "depend"
        told = f"--exclude leaves out {address}, on which {', '.join(names)} {verb}"
        yield Diagnostic(told, severity=Severity.WARNING)


def _noted(change: Change, types: Mapping[str, ResourceType]) -> Change:
    if change.action is not Action.UPDATE or not change.differences:
        return change
    resource = types[change.address.type]
    if not isinstance(resource, NotesUpdates):
        return change
    return change._replace(reason=f"{change.reason}; {resource.update_note}")


def _destroyed(change: Change) -> Change:
    if change.action is Action.CLEAR:
        return change._replace(reason="the stack is being destroyed")
    return change


def _targeted(address: Address, targets: Sequence[Address]) -> bool:
    return not targets or _is_covered(targets, address)


def _is_covered(addresses: Sequence[Address], address: Address) -> bool:
    return any(one.covers(address) for one in addresses)


def _attempt(
    change: Change, plan: Plan, types: Mapping[str, ResourceType], problems: list[Diagnostic]
) -> tuple[Operation, ...]:
    """The operations of a change; what forbids sending them is added to ``problems``."""
    if change.problem is not None:
        problems.append(change.problem)
        return ()
    if _forbidden(change):
        problems.append(_prevented(change))
        return ()
    try:
        operations = operations_of(change, plan, types)
    except ValueError as error:
        problems.append(_unsendable(change, str(error)))
        return ()
    problems.extend(_too_late(change, operations, plan.planned_at))
    return operations


def _forbidden(change: Change) -> bool:
    desired = change.desired
    return desired is not None and change.action.clears and desired.lifecycle.prevent_clear


def _prevented(change: Change) -> Diagnostic:
    desired = change.desired
    return Diagnostic(
        f"{change.address} has lifecycle.prevent_clear, and this plan would {change.action} it: {change.reason}",
        desired.position if desired else None,
        "take prevent_clear out of its lifecycle, or leave what it declares as it fires now",
        address=str(change.address),
    )


def _unsendable(change: Change, why: str) -> Diagnostic:
    desired = change.desired
    return Diagnostic(
        f"{change.address} cannot be sent: {why}", desired.position if desired else None, address=str(change.address)
    )


def _too_late(change: Change, operations: tuple[Operation, ...], now: int) -> Iterable[Diagnostic]:
    for operation in operations:
        if operation.send_by is not None and operation.send_by <= now:
            yield Diagnostic(
                f"{operation.address} can no longer be sent: the service's window for it closed "
                f"{rough_duration(now - operation.send_by)} ago",
                change.desired.position if change.desired else None,
                "declare a time inside the window, or omit it to use the current time",
                address=str(operation.address),
            )


def only_imports(plan: Plan, types: Mapping[str, ResourceType]) -> Plan:
    """The part of a plan that adopts unmanaged alarms."""
    changes = tuple(change for change in plan.changes if change.takes_unmanaged)
    addresses = {str(change.address) for change in changes}
    basis = {address: known for address, known in plan.basis.items() if address in addresses}
    return with_operations(plan._replace(changes=changes, basis=basis), types)
