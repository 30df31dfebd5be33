"""Flight: whether a canary that is up belongs to a check that is at work, and is left to it."""

from __future__ import annotations

from reconciler.core.address import Address
from reconciler.core.canary import NAME
from reconciler.core.duration import MINUTE
from reconciler.plan.state import KnownState

GRACE = 10 * MINUTE
"""How long (ms) a canary that is not of this ledger is left to whoever sent it: as long as it fires by default."""


def is_live_canary(address: Address, past: KnownState, now: int) -> bool:
    """Whether what fires at an address that nothing declares is a canary whose check takes it back itself.

    One of this ledger flies only while another run holds the lease: a run that holds it itself, or a plan while nobody
    does, sees what a crash left behind. Of any other canary only its age can tell.
    """
    return address.name == NAME and all(
        past.ledger.busy if found.marks.run in past.ledger.flown else now - found.starts_at < GRACE
        for found in past.active[address]
    )
