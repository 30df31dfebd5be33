"""Imports: unmanaged alarms that a stack adopts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from reconciler.core.action import Action
from reconciler.core.diagnostic import Diagnostic, Severity
from reconciler.core.duration import format_instant
from reconciler.core.imports import Lookup
from reconciler.core.observed import Observed
from reconciler.core.resource_type import NotesImports, ResourceType
from reconciler.plan.difference import shown_differences
from reconciler.plan.plan import Change


def imported(change: Change, lookup: Lookup, stack: str) -> Change:
    """The change at a declared address that adopts unmanaged alarms; unchanged if that is done.

    The alarm is pushed with the marks of the stack; only then, and unless that push refreshed it, the unmanaged one is
    cleared. If the stack's own alarm is active already, only the unmanaged one beside it is cleared.
    """
    desired = change.desired
    if desired is None or not desired.firing or change.problem is not None:
        return change
    if not lookup.found:
        is_done = change.action is not Action.CREATE or lookup.is_over or lookup.block is None
        return change if is_done else change._replace(problem=_missing(change, lookup, stack))
    problem = _unfit(change, lookup)
    if problem is not None:
        return change._replace(problem=problem)
    unmanaged = tuple(found.observed for found in lookup.found)
    if change.action is Action.CREATE:
        return _adopted(change, unmanaged, lookup.found[0].id)
    if not change.before or change.moved_from is not None:
        return change  # not visible yet, or still being sent: a later plan sees both
    are = "which fires beside it, is" if len(unmanaged) == 1 else "which fire beside it, are"
    beside = f"unmanaged {', '.join(found.id for found in lookup.found)}, {are} cleared"
    is_alone = change.action is Action.NO_OP
    change = change._replace(
        action=Action.IMPORT if is_alone else change.action,
        reason=beside if is_alone else f"{change.reason}; {beside}",
        before=(*change.before, *unmanaged),
        clears=(*change.clears, *unmanaged),
    )
    return change._replace(differences=shown_differences(change)) if is_alone else change


def _adopted(change: Change, unmanaged: tuple[Observed, ...], name: str) -> Change:
    newest = unmanaged[0]
    change = change._replace(
        action=Action.IMPORT,
        reason=f"fires unmanaged as {name} since {format_instant(newest.starts_at)}",
        before=unmanaged,
        clears=unmanaged[1:],
        refreshes=newest,
        begins_at=newest.starts_at,
        drift=False,
    )
    return change._replace(differences=shown_differences(change))


def _missing(change: Change, lookup: Lookup, stack: str) -> Diagnostic:
    block = lookup.block
    assert block is not None  # noqa: S101 - narrows a type
    if lookup.unable is not None:
        return _problem(change, lookup, f"cannot be imported: {lookup.unable}", "leave the block out")
    if lookup.owner is not None:
        owner, address = lookup.owner
        if owner == stack:
            hint = f"it is managed already; to rename it, write moved: [{{from: {address}, to: {change.address}}}]"
            return _problem(change, lookup, f"cannot import {block.id}, which is {address} of this stack", hint)
        hint = f"remove it from {owner} first, with `removed`, and import it once it has ended there; or leave it there"
        return _problem(change, lookup, f"cannot import {block.id}, which is {address} of stack {owner}", hint)
    hint = "`reconciler import --blocks` lists what can be imported; if it has ended, leave the block out"
    return _problem(change, lookup, f"provider {change.provider} shows nothing active with the id {block.id}", hint)


def _unfit(change: Change, lookup: Lookup) -> Diagnostic | None:
    """Why what was found cannot be adopted at the address of a block."""
    found = lookup.found[0]
    kind = found.observed.marks.address.type
    if kind != change.address.type:
        why = f"cannot import {found.id}, which is an {kind}"
        return _problem(change, lookup, why, f"declare it as {kind}, and import it to that address")
    if found.unadoptable is not None:
        hint = "leave the block out; what is declared is then raised beside it"
        return _problem(change, lookup, f"cannot import {found.id}: {found.unadoptable}", hint)
    return None


def _problem(change: Change, lookup: Lookup, why: str, hint: str) -> Diagnostic:
    place = lookup.block.position if lookup.block is not None else None
    return Diagnostic(f"{change.address}: {why}", place, hint, address=str(change.address))


def import_warnings(changes: Iterable[Change], types: Mapping[str, ResourceType]) -> Iterator[Diagnostic]:
    """A warning for each resource type whose service may notify of the alarms that are imported."""
    notes: Counter[tuple[str, str]] = Counter()
    for change in changes:
        if change.action is Action.IMPORT and change.begins_at is not None:
            kind = types[change.address.type]
            if isinstance(kind, NotesImports):
                notes[change.address.type, kind.import_note] += 1
    for (name, note), number in notes.items():
        told = f"{number:,} {name}{'' if number == 1 else 's'} will be imported: {note}"
        yield Diagnostic(told, severity=Severity.WARNING)
