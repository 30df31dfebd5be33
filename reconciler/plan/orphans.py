"""Abandoned providers: what a plan says of alarms at a provider that was taken out of the configuration too soon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.core.address import Address
from reconciler.core.diagnostic import Diagnostic, Severity
from reconciler.core.duration import format_instant
from reconciler.ledger.protocol import Orphan
from reconciler.plan.state import KnownState

_NAMED = 5
"""How many addresses a warning names before it only counts them."""


def orphan_warnings(past: KnownState, targets: Sequence[Address]) -> Iterator[Diagnostic]:
    """A warning for each provider that is not configured any more and may still show alarms of the stack.

    What another provider shows, being of the same project, is in the plan. Nobody is asked.
    """
    if not past.ledger.orphans:
        return iter(())
    shown = {found.marks.key for active in past.active.values() for found in active}
    groups: dict[str, list[Orphan]] = {}
    for left in past.ledger.orphans:
        wanted = not targets or any(target.covers(left.address) for target in targets)
        if wanted and left.key not in shown:
            groups.setdefault(left.provider, []).append(left)
    return (_warning(provider, groups[provider]) for provider in sorted(groups))


def _warning(provider: str, left: Sequence[Orphan]) -> Diagnostic:
    names = ", ".join(str(item.address) for item in left[:_NAMED])
    more = f" and {len(left) - _NAMED:,} more" if len(left) > _NAMED else ""
    alarms = "1 alarm" if len(left) == 1 else f"{len(left):,} alarms"
    return Diagnostic(
        f"provider {provider} is not configured any more, and {alarms} that went through it may still fire: "
        f"{names}{more}",
        hint=f"put providers.{provider} back and apply, which clears what is not declared, then take it out again; "
        f"or clear by hand. All has expired by {format_instant(max(item.over_by for item in left))}",
        severity=Severity.WARNING,
    )
