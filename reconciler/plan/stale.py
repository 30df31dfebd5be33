"""Staleness: whether what a saved plan was computed from is still so, address by address (DESIGN rule 10)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from reconciler.core.address import Address
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.duration import format_instant, rough_duration
from reconciler.plan.plan import Change, Plan
from reconciler.plan.state import KnownState, fingerprint


def staleness(
    plan: Plan,
    desired: Sequence[Desired],
    past: KnownState,
    now: int,
    *,
    providers: Mapping[str, str],
    done: Collection[str] = (),
) -> tuple[Diagnostic, ...]:
    """Why a saved plan may not be applied at ``now`` (epoch ms); empty when it may.

    ``desired`` and ``past`` are of now, ``providers`` the digests of their settings. ``done`` are the keys of
    this very plan's operations that are done already: what moved at their addresses is its own doing, unless something
    fires there that the plan neither knew nor pushed.
    """
    return tuple(_staleness(plan, {item.address: item for item in desired}, past, now, providers, done))


def _staleness(
    plan: Plan,
    desired: Mapping[Address, Desired],
    past: KnownState,
    now: int,
    providers: Mapping[str, str],
    done: Collection[str],
) -> Iterator[Diagnostic]:
    hint = "make a new plan"
    for key in sorted({operation.provider for operation in plan.operations}):
        if providers.get(key) != plan.providers.get(key):
            yield Diagnostic(f"the settings of provider {key} are not those the plan was made with", hint=hint)
    for change in plan.pending:
        address = str(change.address)
        wanted = desired.get(change.address)
        if not _same(change, wanted):
            yield Diagnostic(f"{address} is declared otherwise than when the plan was made", hint=hint, address=address)
        elif _moved(plan, change, past, done):
            yield Diagnostic(f"{address} has changed at the service since the plan", hint=hint, address=address)
        elif not _begun(change, done) and (late := _late(change, now)) is not None:
            yield Diagnostic(
                f"{address} could be sent until {format_instant(late)}, {rough_duration(now - late)} ago",
                hint=hint,
                address=address,
            )


def _late(change: Change, now: int) -> int | None:
    """The first instant (epoch ms) a change had to be sent by, where it has passed."""
    first = min((item.send_by for item in change.operations if item.send_by is not None), default=None)
    return first if first is not None and first <= now else None


def _begun(change: Change, done: Collection[str]) -> bool:
    return any(operation.key in done for operation in change.operations)


def _moved(plan: Plan, change: Change, past: KnownState, done: Collection[str]) -> bool:
    """Whether somebody else did something at an address since the plan."""
    if not _begun(change, done):
        return fingerprint(change.address, change.desired, past) != plan.basis.get(str(change.address))
    known = {found.id for found in change.before}
    return any(found.id not in known and found.marks.run != plan.id for found in past.active.get(change.address, ()))


def _same(change: Change, wanted: Desired | None) -> bool:
    """Whether an address is still declared as the plan knew it."""
    planned = change.desired
    if planned is None or wanted is None:
        return planned is None and wanted is None
    return all(
        getattr(planned, field) == getattr(wanted, field)
        for field in ("provider", "firing", "digest", "occurrence", "lifecycle")
    )
