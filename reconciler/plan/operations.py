"""Operations of a plan: what carries out each change, derived only from what the plan shows (rule 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Kind
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.digest import canonical, digest_listed, digest_text
from reconciler.core.observed import Marks, Observed, is_unmanaged
from reconciler.core.operation import Operation, Verb
from reconciler.core.resource_type import EndsFirst, ResourceType
from reconciler.plan.difference import shown_differences
from reconciler.plan.plan import Change, Difference, Plan
from reconciler.plan.state import forgotten_mark


def plan_id(plan: Plan) -> str:
    """The id of a plan: a digest of what it was computed from and of every pending change, without the operations."""
    targets = {key: str(target) for key, target in plan.targets.items()}
    return digest_listed(
        (plan.stack, plan.planned_at, plan.config_digest, dict(plan.providers), targets, dict(plan.basis)),
        map(_digest_fields, plan.pending),
    )


_REFRESHED = (Action.UPDATE, Action.RENEW)
"""Changes that push the alarm that stays again; others at its address are cleared first."""


def operations_of(change: Change, plan: Plan, types: Mapping[str, ResourceType]) -> tuple[Operation, ...]:
    """The pushes and clears of a change, in the order in which they are due.

    Raises ValueError if the resource type cannot express the declaration.
    """
    if change.action is Action.FORGET:
        return tuple(_forget(change, found, number, plan) for number, found in enumerate(change.before))
    resource = types[change.address.type]
    push = _push(change, plan, resource)
    clears = [_clear(change, found, number, plan, resource) for number, found in enumerate(change.clears)]
    if push is None:
        return tuple(clears)
    if change.action is Action.REPLACE and clears and change.refreshes is None:
        if _pushes_first(change):
            return (push, *(operation._replace(depends_on=push.key) for operation in clears))
        return (*clears, push._replace(depends_on=clears[0].key))
    if change.refreshes is not None:
        second = _clear(change, change.refreshes, len(clears), plan, resource)
        if clears and change.action in _REFRESHED:  # a service that merges might merge the push into one of these
            after = push._replace(depends_on=clears[0].key)
            return (*clears, after, second._replace(depends_on=push.key, only_if_duplicate=True))
        clears.append(second._replace(depends_on=push.key, only_if_duplicate=True))
    if change.action is Action.IMPORT:  # nothing ends before its replacement is active
        clears = [operation._replace(depends_on=push.key) for operation in clears]
    return (push, *clears)


def forgeries(plan: Plan, types: Mapping[str, ResourceType]) -> Iterator[Diagnostic]:
    """What in a saved plan does not follow from what it shows: it was edited, or another version made it."""
    if plan_id(plan) != plan.id:
        yield _forged("its id does not follow from its changes")
        return
    for change in plan.pending:
        try:
            derived = operations_of(change, plan, types)
        except Exception:  # noqa: BLE001  # a type may raise anything on values of a shape that it never made
            yield _forged(f"what it shows for {change.address} cannot be sent", change)
            continue
        if len({(found.provider, found.id) for found in change.before}) < len(change.before):
            yield _forged(f"it shows an alarm at {change.address} twice", change)
        elif derived != change.operations:
            yield _forged(f"what it would send for {change.address} is not what it shows", change)
        elif canonical(_differences(change)) != canonical(change.differences):
            yield _forged(f"the differences it shows of {change.address} are not those it has", change)


_COMPARED = (Action.UPDATE, Action.REPLACE, Action.RENEW, Action.MOVE, Action.IMPORT)


def _differences(change: Change) -> tuple[Difference, ...]:
    """The differences that a change must show: all of them if it pushes an existing object again, none otherwise."""
    return shown_differences(change) if change.action in _COMPARED else ()


def _forged(why: str, change: Change | None = None) -> Diagnostic:
    return Diagnostic(
        f"the plan file cannot be used: {why}",
        hint="make a new plan; a saved plan is applied exactly as it was shown",
        address=str(change.address) if change else None,
    )


def _pushes_first(change: Change) -> bool:
    """Whether the new alarm is pushed before the old one is cleared: if requested, and always for a move.

    Never if the clear would end the new one too, because the service identifies both as the same alarm.
    """
    desired = change.desired
    if change.moved_from is not None:
        return True
    if desired is None or any(
        (found.provider, found.identity) == (desired.provider, desired.identity) for found in change.clears
    ):
        return False
    return desired.lifecycle.create_before_clear


def _push(change: Change, plan: Plan, resource: ResourceType) -> Operation | None:
    desired = change.desired
    if desired is None or change.begins_at is None:
        return None
    now = plan.planned_at
    key = _key(plan.id, change.address, Verb.PUSH, 0)
    forget = desired.lifecycle.on_remove == "forget"
    marks = Marks(plan.stack, change.address, desired.digest, key, plan.id, desired.occurrence, forget)
    begins_at = change.begins_at
    ended = change.refreshes if change.action is Action.REPLACE else None
    if change.action is Action.MOVE and desired.kind is Kind.EVENT:
        payload, _ = resource.push(desired, marks, begins_at)
        recorded = Operation(key, change.address, change.provider, Verb.PUSH, payload, desired.digest)
        return recorded._replace(occurrence=desired.occurrence, begins_at=begins_at, is_recorded=True)
    if ended is not None and isinstance(resource, EndsFirst):
        payload, send_by = resource.push_anew(desired, marks, begins_at, ended)
    else:
        payload, send_by = resource.push(desired, marks, begins_at)
        if send_by is not None and send_by <= now and begins_at != now:
            # With its old start it would be over on arrival: use a new start, which is possible for a refreshed alarm
            # and for an event.
            begins_at = now
            payload, send_by = resource.push(desired, marks, begins_at)
    return Operation(
        key,
        change.address,
        change.provider,
        Verb.PUSH,
        payload,
        desired.digest,
        desired.occurrence,
        send_by=send_by,
        begins_at=begins_at,
    )


def _forget(change: Change, found: Observed, number: int, plan: Plan) -> Operation:
    """The ledger entry that an alarm is left firing; nothing is sent."""
    key = _key(plan.id, change.address, Verb.PUSH, number)
    noted = Operation(key, change.address, found.provider, Verb.PUSH, "{}", occurrence=forgotten_mark(found))
    return noted._replace(is_recorded=True)


def _clear(change: Change, found: Observed, number: int, plan: Plan, resource: ResourceType) -> Operation:
    key = _key(plan.id, change.address, Verb.CLEAR, number)
    payload = resource.clear(found, plan.planned_at)
    address = change.address if is_unmanaged(found.marks) else found.marks.address
    return Operation(key, address, found.provider, Verb.CLEAR, payload, target=found.id)


def _key(plan: str, address: Address, verb: Verb, number: int) -> str:
    return digest_text(f"{plan}/{address}/{verb}/{number}")


def _digest_fields(change: Change) -> list[object]:
    desired = change.desired
    return [
        *(str(change.address), change.action, change.reason, change.provider, change.drift, change.begins_at),
        desired and [desired.digest, desired.occurrence, desired.firing],
        [[found.provider, found.id] for found in change.clears],
        change.refreshes and [change.refreshes.provider, change.refreshes.id],
        *([str(change.moved_from)] if change.moved_from is not None else []),
    ]
