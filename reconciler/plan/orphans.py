"""Orphans: warnings about alarms at targets that the configuration no longer points to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reconciler.core.address import Address
from reconciler.core.diagnostic import Diagnostic, Severity
from reconciler.core.duration import format_instant
from reconciler.core.target import Target
from reconciler.ledger.protocol import Orphan
from reconciler.plan.state import KnownState

_NAMED = 5
"""How many addresses a warning names before it only gives their number."""


def orphan_warnings(
    known: KnownState, targets: Sequence[Address], places: Mapping[str, Target]
) -> Iterator[Diagnostic]:
    """A warning for each provider that was removed, or has a new target, and may still show alarms of the stack.

    ``places`` is the target of each configured provider. What another provider of the same project shows is part of the
    plan. No service is queried.
    """
    shown = {found.marks.key for active in known.active.values() for found in active}
    groups: dict[tuple[str, str], list[Orphan]] = {}
    for left in known.ledger.orphans:
        wanted = not targets or any(target.covers(left.address) for target in targets)
        if wanted and left.key not in shown:
            moved_from = left.target or "" if left.provider in places else ""
            groups.setdefault((left.provider, moved_from), []).append(left)
    return (
        _moved(provider, moved_from, groups[provider, moved_from])
        if moved_from
        else _removed(provider, groups[provider, moved_from])
        for provider, moved_from in sorted(groups)
    )


def renamed_warning(stack: str, file: str, left: Sequence[Orphan]) -> Diagnostic:
    """A warning about alarms in the ledger of a stack that no configuration beside it declares."""
    places = ", ".join(label(target) for target in sorted({item.target for item in left if item.target is not None}))
    return Diagnostic(
        f'no configuration here has the name of stack "{stack}" any more, and {_count(left)} that it pushed'
        f"{f' to {places}' if places else ''} may still fire: {_names(left)}",
        hint=f"if the stack was renamed, put `stack: {stack}` back, run `reconciler destroy`, then rename it again; "
        f"or clear by hand and remove its ledger {file}. {_expiry(left)}",
        severity=Severity.WARNING,
    )


def label(target: str) -> str:
    """A target's canonical text for readers; unchanged if it is invalid."""
    try:
        return Target.parse(target).label
    except ValueError:
        return target


def _removed(provider: str, left: Sequence[Orphan]) -> Diagnostic:
    return Diagnostic(
        f"provider {provider} is not configured any more, and {_count(left)} that went through it may still fire: "
        f"{_names(left)}",
        hint=f"put providers.{provider} back and apply, which clears what is not declared, then remove it again; "
        f"or clear by hand. {_expiry(left)}",
        severity=Severity.WARNING,
    )


def _moved(provider: str, moved_from: str, left: Sequence[Orphan]) -> Diagnostic:
    return Diagnostic(
        f"provider {provider} pointed to {label(moved_from)} before, and {_count(left)} pushed there may still fire: "
        f"{_names(left)}",
        hint=f"put the old settings of providers.{provider} back, run `reconciler destroy`, then change them again; "
        f"or clear by hand. {_expiry(left)}",
        severity=Severity.WARNING,
    )


def _names(left: Sequence[Orphan]) -> str:
    more = f" and {len(left) - _NAMED:,} more" if len(left) > _NAMED else ""
    return ", ".join(str(item.address) for item in left[:_NAMED]) + more


def _count(left: Sequence[Orphan]) -> str:
    return "1 alarm" if len(left) == 1 else f"{len(left):,} alarms"


def _expiry(left: Sequence[Orphan]) -> str:
    return f"All of it has expired by {format_instant(max(item.over_by for item in left))}"
