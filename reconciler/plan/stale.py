"""Staleness: whether what a saved plan was computed from is still so, address by address (DESIGN rule 10)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from reconciler.core.address import Address
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.duration import format_instant, rough_duration
from reconciler.plan.past import Past, basis_of
from reconciler.plan.plan import Change, Plan


def staleness(
    plan: Plan,
    desired: Sequence[Desired],
    past: Past,
    now: int,
    *,
    providers: Mapping[str, str],
    begun: Collection[Address] = (),
) -> tuple[Diagnostic, ...]:
    """Why a saved plan may not be applied at ``now`` (epoch ms); empty when it may.

    ``desired`` and ``past`` are of now, ``providers`` the digests of their settings. Addresses in ``begun`` were
    already worked on by this very plan: what moved there is its own doing.
    """
    return tuple(_staleness(plan, {item.address: item for item in desired}, past, now, providers, begun))


def _staleness(
    plan: Plan,
    desired: Mapping[Address, Desired],
    past: Past,
    now: int,
    providers: Mapping[str, str],
    begun: Collection[Address],
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
        elif change.address not in begun:
            if basis_of(change.address, change.desired, past) != plan.basis.get(address):
                yield Diagnostic(f"{address} has changed at the service since the plan", hint=hint, address=address)
            elif any(operation.send_by is not None and operation.send_by <= now for operation in change.operations):
                late = min(operation.send_by or now for operation in change.operations)
                yield Diagnostic(
                    f"{address} could be sent until {format_instant(late)}, {rough_duration(now - late)} ago",
                    hint=hint,
                    address=address,
                )


def _same(change: Change, wanted: Desired | None) -> bool:
    """Whether an address is still declared as the plan knew it."""
    planned = change.desired
    if planned is None or wanted is None:
        return planned is None and wanted is None
    return all(
        getattr(planned, field) == getattr(wanted, field)
        for field in ("provider", "firing", "digest", "occurrence", "lifecycle")
    )
