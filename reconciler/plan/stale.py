"""Staleness: whether what a saved plan was computed from is still so, address by address (rule 10)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.digest import canonical
from reconciler.core.duration import format_instant, rough_duration
from reconciler.core.observed import is_unmanaged
from reconciler.core.operation import Verb
from reconciler.core.target import Target
from reconciler.plan.plan import Change, Plan
from reconciler.plan.state import KnownState, dedupe, fingerprint

_DECLARED = ("provider", "kind", "firing", "identity", "attributes", "digest", "occurrence", "depends_on")
_CONTENT = ("marks", "state", "identity", "attributes", "starts_at")


def staleness(
    plan: Plan,
    desired: Sequence[Desired],
    known: KnownState,
    now: int,
    *,
    providers: Mapping[str, str],
    targets: Mapping[str, Target] | None = None,
    done: Collection[str] = (),
) -> tuple[Diagnostic, ...]:
    """Why a saved plan may not be applied at ``now`` (epoch ms); empty when it may.

    ``desired`` and ``known`` are of now, ``providers`` the digests of their settings, ``targets`` where they
    point. ``done`` are the keys of
    this very plan's operations that are done already: what moved at their addresses is its own doing, unless something
    fires there that the plan neither knew nor pushed.
    """
    return tuple(_staleness(plan, {item.address: item for item in desired}, known, now, providers, targets or {}, done))


def _staleness(
    plan: Plan,
    desired: Mapping[Address, Desired],
    known: KnownState,
    now: int,
    providers: Mapping[str, str],
    targets: Mapping[str, Target],
    done: Collection[str],
) -> Iterator[Diagnostic]:
    hint = "make a new plan"
    for key in sorted({operation.provider for operation in plan.operations}):
        then, now_at = plan.targets.get(key), targets.get(key)
        if then != now_at:
            was, is_ = (target.label if target else "nowhere" for target in (then, now_at))
            yield Diagnostic(f"the plan was made for provider {key} at {was}, and it points at {is_} now", hint=hint)
        elif providers.get(key) != plan.providers.get(key):
            yield Diagnostic(f"the settings of provider {key} are not those the plan was made with", hint=hint)
    for change in plan.pending:
        address = str(change.address)
        wanted = desired.get(change.address)
        if not _same(change, wanted):
            yield Diagnostic(f"{address} is declared otherwise than when the plan was made", hint=hint, address=address)
        elif _moved(plan, change, known, done):
            yield Diagnostic(f"{address} has changed at the service since the plan", hint=hint, address=address)
        elif not _begun(change, done) and (late := _late(change, now)) is not None:
            yield Diagnostic(
                f"{address} could be sent until {format_instant(late)}, {rough_duration(now - late)} ago",
                hint=hint,
                address=address,
            )


def is_carried_out(plan: Plan, known: KnownState) -> bool:
    """Whether the services show every effect of a plan, which another machine may have applied.

    An alarm is known to be the plan's by its key, an event by its occurrence; what the plan clears is gone.
    """
    pending = plan.pending
    return bool(pending) and all(_is_in_effect(change, known) for change in pending)


def _is_in_effect(change: Change, known: KnownState) -> bool:
    desired = change.desired
    if desired is not None and desired.kind is Kind.EVENT:
        return (change.address, desired.occurrence or "") in known.recorded
    active = known.active.get(change.address, ())
    shown = {found.marks.key for found in active}
    pushed = all(operation.key in shown for operation in change.operations if operation.verb is Verb.PUSH)
    cleared = {(found.provider, found.id) for found in change.clears}
    gone = all((found.provider, found.id) not in cleared for found in active)
    return pushed and gone and (change.refreshes is None or len(active) == 1)


def _late(change: Change, now: int) -> int | None:
    """The first instant (epoch ms) a change had to be sent by, where it has passed."""
    first = min((item.send_by for item in change.operations if item.send_by is not None), default=None)
    return first if first is not None and first <= now else None


def _begun(change: Change, done: Collection[str]) -> bool:
    return any(operation.key in done for operation in change.operations)


def _moved(plan: Plan, change: Change, known: KnownState, done: Collection[str]) -> bool:
    """Whether somebody else did something at an address since the plan."""
    if not _begun(change, done):
        basis = plan.basis.get(str(change.address))
        return fingerprint(change.address, change.desired, known) != basis or not _shown_as_planned(change, known)
    planned = {found.id for found in change.before}
    return any(found.id not in planned and found.marks.run != plan.id for found in known.active.get(change.address, ()))


def _shown_as_planned(change: Change, known: KnownState) -> bool:
    """Whether the alarms that the plan found are those that fire now, with the content it shows; unmanaged ones, which
    no query of the stack finds, are left out.
    """
    active = dedupe(change.provider, known.active.get(change.address, ()))
    now = {(found.provider, found.id): found for found in active}
    then = {(found.provider, found.id): found for found in change.before if not is_unmanaged(found.marks)}
    return now.keys() == then.keys() and all(_equal(found, now[key], _CONTENT) for key, found in then.items())


def _same(change: Change, wanted: Desired | None) -> bool:
    """Whether an address is still declared as the plan shows it."""
    planned = change.desired
    if planned is None or wanted is None:
        return planned is None and wanted is None
    return planned.lifecycle == wanted.lifecycle and _equal(planned, wanted, _DECLARED)


def _equal(one: NamedTuple, other: NamedTuple, fields: Sequence[str]) -> bool:
    """Whether two values agree in these fields, a tuple being what JSON makes of it."""
    first, second = ([getattr(value, name) for name in fields] for value in (one, other))
    return first == second or canonical(first) == canonical(second)
