"""The planner: a pure function from desired, observed, the ledger's view and an instant to a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.digest import digest, digest_text
from reconciler.core.duration import rough_duration
from reconciler.core.gc_tuning import gc_disabled
from reconciler.core.marks import Marks
from reconciler.core.observed import Observed
from reconciler.core.operation import Operation, Verb
from reconciler.core.resource_type import ResourceType
from reconciler.ledger.protocol import LedgerView
from reconciler.plan.canary import is_live_canary
from reconciler.plan.decision import Decision, decide, undeclared
from reconciler.plan.orphans import orphan_warnings
from reconciler.plan.plan import Change, Plan
from reconciler.plan.state import KnownState, fingerprint, merge


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
    targets: Sequence[Address] = (),
    destroy: bool = False,
) -> Plan:
    """Compare what is declared with what was observed and compute every change (DESIGN section 4).

    ``now`` is epoch milliseconds. ``history`` holds ended alarms at the addresses that ``past.missing`` names, and only
    colours reasons. ``targets`` limits the plan to addresses they cover. ``destroy`` clears every alarm of the stack.
    The order of ``observed`` does not matter; changes come in the order of ``desired``, undeclared ones last.
    A canary that is up is left to its check.
    """
    with gc_disabled():
        past = merge(stack, observed, ledger or LedgerView(), history)
        return _plan(stack, desired, past, now, types, config_digest, providers or {}, targets, destroy)


def _plan(
    stack: str,
    desired: Sequence[Desired],
    past: KnownState,
    now: int,
    types: Mapping[str, ResourceType],
    config_digest: str,
    providers: Mapping[str, str],
    targets: Sequence[Address],
    destroy: bool,
) -> Plan:
    decisions = _decisions(desired, past, now, targets, destroy)
    pending = [decision for decision in decisions if decision.action is not Action.NO_OP]
    basis = {str(item.address): fingerprint(item.address, item.desired, past) for item in pending}
    plan_id = digest([stack, now, config_digest, dict(providers), basis, [_digest_fields(item) for item in pending]])
    problems: list[Diagnostic] = []
    changes = []
    for decision in decisions:
        operations: tuple[Operation, ...] = ()
        if decision.problem is not None:
            problems.append(decision.problem)
        elif decision.action is not Action.NO_OP:
            if _forbidden(decision):
                problems.append(_prevented(decision))
            else:
                operations = _attempt(decision, stack, plan_id, types[decision.address.type], now, problems)
        changes.append(_change(decision, operations))
    return Plan(
        plan_id,
        stack,
        now,
        config_digest,
        tuple(changes),
        basis,
        dict(providers),
        tuple(problems),
        tuple(orphan_warnings(past, targets)),
    )


def _decisions(
    desired: Sequence[Desired], past: KnownState, now: int, targets: Sequence[Address], destroy: bool
) -> list[Decision]:
    wanted = [item for item in desired if _targeted(item.address, targets)]
    if destroy:
        wanted = [item._replace(firing=False) for item in wanted if item.kind is Kind.ALARM]
    declared = {item.address for item in desired}
    decisions = [decide(item, past, now) for item in wanted]
    if destroy:
        decisions = [_destroyed(decision) for decision in decisions]
    reason = "the stack is being destroyed" if destroy else "no longer in the configuration"
    undone = [address for address in past.active if address not in declared and _targeted(address, targets)]
    gone = sorted((address for address in undone if destroy or not is_live_canary(address, past, now)), key=str)
    return decisions + [undeclared(address, past, reason) for address in gone]


def _destroyed(decision: Decision) -> Decision:
    if decision.action is Action.CLEAR:
        return decision._replace(reason="the stack is being destroyed")
    return decision


def _targeted(address: Address, targets: Sequence[Address]) -> bool:
    return not targets or any(target.covers(address) for target in targets)


def _attempt(
    decision: Decision, stack: str, plan_id: str, resource: ResourceType, now: int, problems: list[Diagnostic]
) -> tuple[Operation, ...]:
    """The operations of a decision; what forbids sending them is added to ``problems``."""
    try:
        operations = _operations(decision, stack, plan_id, resource, now)
    except ValueError as error:
        problems.append(_unsendable(decision, str(error)))
        return ()
    problems.extend(_too_late(decision, operations, now))
    return operations


def _operations(
    decision: Decision, stack: str, plan_id: str, resource: ResourceType, now: int
) -> tuple[Operation, ...]:
    """The pushes and clears of a decision, in the order they are due."""

    def clear(found: Observed, number: int) -> Operation:
        key = _key(plan_id, decision.address, Verb.CLEAR, number)
        payload = resource.clear(found, now)
        return Operation(key, decision.address, found.provider, Verb.CLEAR, payload, target=found.id)

    push = _push(decision, stack, plan_id, resource, now)
    clears = [clear(found, number) for number, found in enumerate(decision.clears)]
    if push is None:
        return tuple(clears)
    if decision.action is Action.REPLACE:
        desired = decision.desired
        if desired is not None and desired.lifecycle.create_before_clear:
            return (push, *(operation._replace(after=push.key) for operation in clears))
        return (*clears, push._replace(after=clears[0].key))
    if decision.refreshes is not None:
        second = clear(decision.refreshes, len(clears))
        clears.append(second._replace(after=push.key, unless_refreshed=True))
    return (push, *clears)


def _push(decision: Decision, stack: str, plan_id: str, resource: ResourceType, now: int) -> Operation | None:
    desired = decision.desired
    if desired is None or decision.begins_at is None:
        return None
    key = _key(plan_id, decision.address, Verb.PUSH, 0)
    marks = Marks(stack, decision.address, desired.digest, key, plan_id, desired.occurrence)
    begins_at = decision.begins_at
    payload, send_by = resource.push(desired, marks, begins_at)
    if send_by is not None and send_by <= now and begins_at != now:
        # What began back then would be over on arrival: begin anew, which a refreshed alarm and a fact can both do.
        begins_at = now
        payload, send_by = resource.push(desired, marks, begins_at)
    return Operation(
        key,
        decision.address,
        decision.provider,
        Verb.PUSH,
        payload,
        desired.digest,
        desired.occurrence,
        send_by=send_by,
        begins_at=begins_at,
    )


def _key(plan_id: str, address: Address, verb: Verb, number: int) -> str:
    return digest_text(f"{plan_id}/{address}/{verb}/{number}")


def _digest_fields(decision: Decision) -> list[object]:
    desired = decision.desired
    return [
        str(decision.address),
        decision.action,
        decision.begins_at,
        desired and desired.digest,
        desired and desired.occurrence,
        [found.id for found in decision.clears],
    ]


def _change(decision: Decision, operations: tuple[Operation, ...]) -> Change:
    return Change(
        decision.address,
        decision.action,
        decision.reason,
        decision.provider,
        operations,
        decision.desired,
        decision.before,
        decision.differences,
        decision.drift,
    )


def _forbidden(decision: Decision) -> bool:
    desired = decision.desired
    return desired is not None and decision.action.clears and desired.lifecycle.prevent_clear


def _prevented(decision: Decision) -> Diagnostic:
    desired = decision.desired
    return Diagnostic(
        f"{decision.address} has lifecycle.prevent_clear, and this plan would {decision.action} it: {decision.reason}",
        desired.position if desired else None,
        "take prevent_clear out of its lifecycle, or leave what it declares as it fires now",
        address=str(decision.address),
    )


def _unsendable(decision: Decision, why: str) -> Diagnostic:
    desired = decision.desired
    return Diagnostic(
        f"{decision.address} can't be sent: {why}", desired.position if desired else None, address=str(decision.address)
    )


def _too_late(decision: Decision, operations: tuple[Operation, ...], now: int) -> Iterable[Diagnostic]:
    for operation in operations:
        if operation.send_by is not None and operation.send_by <= now:
            yield Diagnostic(
                f"{operation.address} can't be sent any more: the service's window for it closed "
                f"{rough_duration(now - operation.send_by)} ago",
                decision.desired.position if decision.desired else None,
                "declare a time inside the window, or leave it out and the present is taken",
                address=str(operation.address),
            )
