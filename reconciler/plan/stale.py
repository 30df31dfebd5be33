"""Staleness: whether a saved plan still fits the configuration and the services, address by address (rule 10)."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from typing import NamedTuple

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.digest import canonical
from reconciler.core.duration import format_instant, rough_duration
from reconciler.core.moves import NO_MOVES, Moves
from reconciler.core.observed import Observed, is_unmanaged
from reconciler.core.operation import Verb
from reconciler.core.target import Target
from reconciler.plan.difference import keep_ignored
from reconciler.plan.plan import Change, Plan
from reconciler.plan.state import KnownState, dedupe, fingerprint

_DECLARED = ("provider", "kind", "firing", "identity", "attributes", "digest", "occurrence", "depends_on")
_NEW_PLAN = "make a new plan"
_CONTENT = ("marks", "state", "identity", "attributes", "starts_at")


def staleness(
    plan: Plan,
    desired: Sequence[Desired],
    known: KnownState,
    now: int,
    *,
    providers: Mapping[str, str],
    targets: Mapping[str, Target] | None = None,
    moves: Moves = NO_MOVES,
    done: Collection[str] = (),
) -> tuple[Diagnostic, ...]:
    """Why a saved plan may not be applied at ``now`` (epoch ms); empty if it may.

    ``desired``, ``known`` and ``moves`` are the current ones. ``providers`` maps each provider key to the digest of its
    settings, ``targets`` to its target. ``done`` has the idempotency keys of this plan's operations that are done
    already: a change at their addresses was made by this plan, unless an alarm is active there that the plan neither
    found nor pushed.
    """
    declared = {item.address: item for item in desired}
    return tuple(_staleness(plan, declared, known, now, providers, targets or {}, moves, done))


def moved_targets(plan: Plan, targets: Mapping[str, Target]) -> Iterator[Diagnostic]:
    """One error for each provider of a plan's operations whose target has changed since the plan (rule 14)."""
    for key in sorted({operation.provider for operation in plan.operations}):
        then, now = plan.targets.get(key), targets.get(key)
        if then != now:
            was, is_ = (target.label if target else "nowhere" for target in (then, now))
            summary = f"the plan was made for the provider {key} at {was}, which now points at {is_}"
            yield Diagnostic(summary, hint=_NEW_PLAN)


def _staleness(
    plan: Plan,
    desired: Mapping[Address, Desired],
    known: KnownState,
    now: int,
    providers: Mapping[str, str],
    targets: Mapping[str, Target],
    moves: Moves,
    done: Collection[str],
) -> Iterator[Diagnostic]:
    hint = _NEW_PLAN
    yield from moved_targets(plan, targets)
    for key in sorted({operation.provider for operation in plan.operations}):
        if plan.targets.get(key) == targets.get(key) and providers.get(key) != plan.providers.get(key):
            yield Diagnostic(f"the settings of the provider {key} have changed since the plan was made", hint=hint)
    for change in plan.pending:
        address = str(change.address)
        wanted = desired.get(change.address)
        if wanted is not None:
            wanted = keep_ignored(wanted, dedupe(wanted.provider, _active(change, known)))
        if not _same(change, wanted) or not _same_name(change, desired, known, moves):
            yield Diagnostic(f"{address} is declared differently since the plan was made", hint=hint, address=address)
        elif _moved(plan, change, known, done):
            yield Diagnostic(
                f"{address} has changed at the service since the plan was made", hint=hint, address=address
            )
        elif not _begun(change, done) and (late := _late(change, now)) is not None:
            yield Diagnostic(
                f"{address} had to be sent by {format_instant(late)}, {rough_duration(now - late)} ago",
                hint=hint,
                address=address,
            )


def is_carried_out(plan: Plan, known: KnownState) -> bool:
    """Whether the services show every effect of a plan, which another machine may have applied.

    Every pushed alarm is active with the key of its push, every event is on record with its occurrence, and every
    alarm that the plan clears is gone.
    """
    pending = plan.pending
    return bool(pending) and all(_is_in_effect(change, known) for change in pending)


def _is_in_effect(change: Change, known: KnownState) -> bool:
    desired = change.desired
    if desired is not None and desired.kind is Kind.EVENT:
        return (change.address, desired.occurrence or "") in known.recorded
    active = _active(change, known)
    shown = {found.marks.key for found in active}
    pushed = all(
        (operation.address, operation.occurrence) in known.recorded if operation.is_recorded else operation.key in shown
        for operation in change.operations
        if operation.verb is Verb.PUSH
    )
    cleared = {(found.provider, found.id) for found in change.clears}
    gone = all((found.provider, found.id) not in cleared for found in active)
    return pushed and gone and (change.refreshes is None or len(active) == 1)


def _active(change: Change, known: KnownState) -> list[Observed]:
    """The active objects at all addresses of a change: its own and, for a move, the earlier one."""
    return [found for address in change.addresses for found in known.active.get(address, ())]


def _late(change: Change, now: int) -> int | None:
    """The earliest deadline (epoch ms) of an operation of a change, if it has passed."""
    first = min((item.send_by for item in change.operations if item.send_by is not None), default=None)
    return first if first is not None and first <= now else None


def _begun(change: Change, done: Collection[str]) -> bool:
    return any(operation.key in done for operation in change.operations)


def _moved(plan: Plan, change: Change, known: KnownState, done: Collection[str]) -> bool:
    """Whether something other than this plan has changed the objects at an address since the plan was made."""
    if not _begun(change, done):
        return any(
            fingerprint(address, change.desired, known) != plan.basis.get(str(address)) for address in change.addresses
        ) or not _shown_as_planned(change, known)
    planned = {found.id for found in change.before}
    return any(found.id not in planned and found.marks.run != plan.id for found in _active(change, known))


def _shown_as_planned(change: Change, known: KnownState) -> bool:
    """Whether the alarms that the plan found, and no others, are still active with the content it shows.

    Unmanaged alarms are not compared, since no query of the stack finds them.
    """
    active = dedupe(change.provider, _active(change, known))
    now = {(found.provider, found.id): found for found in active}
    then = {(found.provider, found.id): found for found in change.before if not is_unmanaged(found.marks)}
    return now.keys() == then.keys() and all(_equal(found, now[key], _CONTENT) for key, found in then.items())


def _same(change: Change, wanted: Desired | None) -> bool:
    """Whether an address is still declared as the plan shows it."""
    planned = change.desired
    if planned is None or wanted is None:
        return planned is None and wanted is None
    return planned.lifecycle == wanted.lifecycle and _equal(planned, wanted, _DECLARED)


def _same_name(change: Change, desired: Container[Address], known: KnownState, moves: Moves) -> bool:
    """Whether the ``moved`` blocks still give a change the addresses that the plan shows.

    A move must still have the same destination, a cleared alarm must not have been renamed since, and an event must not
    be on record under an earlier address.
    """
    if change.moved_from is not None:
        return moves.destination(change.moved_from) == change.address
    if not moves:
        return True
    if change.action is Action.RECORD and change.desired is not None:
        occurrence = change.desired.occurrence or ""
        return all((source, occurrence) not in known.recorded for source in moves.sources(change.address))
    if change.desired is not None:
        return True
    now_at = moves.destination(change.address)
    return now_at not in desired or now_at in known.active


def _equal(one: NamedTuple, other: NamedTuple, fields: Sequence[str]) -> bool:
    """Whether two values agree in these fields; tuples and lists count as equal, as in JSON."""
    first, second = ([getattr(value, name) for name in fields] for value in (one, other))
    return first == second or canonical(first) == canonical(second)
