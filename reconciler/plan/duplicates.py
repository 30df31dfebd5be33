"""Duplicates: unmanaged alarms that equal those of a stack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.core.action import Action
from reconciler.core.desired import Desired, Kind
from reconciler.core.diagnostic import Diagnostic, Severity
from reconciler.core.duration import format_instant
from reconciler.core.observed import Observed, UnmanagedAlarm
from reconciler.plan.plan import Change

Identity = tuple[str, str, frozenset[tuple[str, str]]]
"""What identifies equal alarms: provider, type, and the service's identity."""

_NAMED = 5
"""How many alarms a hint names."""


def identity_of(value: Desired | Observed, kind: str) -> Identity:
    """What identifies an alarm of a type, independent of who raised it."""
    return value.provider, kind, frozenset(value.identity.items())


def same_as_declared(
    desired: Iterable[Desired], unmanaged: Iterable[UnmanagedAlarm]
) -> Iterator[tuple[Desired, tuple[UnmanagedAlarm, ...]]]:
    """The declared alarms that are also active unmanaged, each with the equal alarms, newest first."""
    waiting: dict[Identity, list[UnmanagedAlarm]] = {}
    for item in unmanaged:
        waiting.setdefault(identity_of(item.observed, item.observed.marks.address.type), []).append(item)
    for wanted in desired if waiting else ():
        found = waiting.get(identity_of(wanted, wanted.address.type), []) if _can_double(wanted) else []
        if found:
            yield wanted, tuple(sorted(found, key=lambda item: (-item.observed.starts_at, item.observed.id)))


def _can_double(desired: Desired) -> bool:
    return desired.firing and desired.kind is not Kind.EVENT


def duplicate_warnings(changes: Sequence[Change], unmanaged: Sequence[UnmanagedAlarm]) -> Iterator[Diagnostic]:
    """A warning if unmanaged alarms duplicate the stack's own, or those that the plan creates."""
    by_address = {change.address: change for change in changes}
    taken = {(found.provider, found.id) for change in changes if change.takes_unmanaged for found in change.before}
    fixed, pairs = [], []
    for desired, found in same_as_declared((item.desired for item in changes if item.desired is not None), unmanaged):
        left = [item for item in found if (item.observed.provider, item.observed.id) not in taken]
        pairs += [(by_address[desired.address], item) for item in left if item.unadoptable is None]
        fixed += [(by_address[desired.address], item) for item in left if item.unadoptable is not None]
    if pairs:
        lines = [f"  - {{to: {_quoted(change)}, id: {_text(item.id)}}}" for change, item in pairs[:_NAMED]]
        lines += [f"  # and {len(pairs) - _NAMED:,} more"] if len(pairs) > _NAMED else []
        hint = ["to take it over, add this, or run `reconciler import --adopt`:", "import:", *lines]
        yield _duplicate(pairs, "no plan clears unmanaged alarms", "\n".join(hint))
    if fixed:
        reason = fixed[0][1].unadoptable or ""
        yield _duplicate(fixed, reason, "give the declared alarm another name or other labels, or remove it")


def _duplicate(pairs: Sequence[tuple[Change, UnmanagedAlarm]], why: str, hint: str) -> Diagnostic:
    change, item = pairs[0]
    since = format_instant(item.observed.starts_at)
    verb = "would duplicate" if change.action is Action.CREATE else "duplicates"
    more = f", and {len(pairs) - 1:,} more" if len(pairs) > 1 else ""
    return Diagnostic(
        f"{change.address} {verb} the unmanaged alarm {item.id}, firing since {since}{more}: {why}",
        change.desired.position if change.desired is not None else None,
        hint,
        address=str(change.address),
        severity=Severity.WARNING,
    )


def _quoted(change: Change) -> str:
    text = str(change.address)
    return text if change.address.key is None else _text(text)


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
