"""Renames: notes about moved objects, and hints about objects that look renamed."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Kind
from reconciler.core.diagnostic import Diagnostic, Severity
from reconciler.core.digest import canonical
from reconciler.core.resource_type import NotesMoves, ResourceType
from reconciler.plan.plan import Change

_NAMED = 5
"""How many renames a hint names."""
_OWN_NAME = "\0"
"""A placeholder for the name of the resource in a value."""


def move_warnings(changes: Sequence[Change], types: Mapping[str, ResourceType]) -> Iterator[Diagnostic]:
    """A warning for each resource type whose service may notify of the alarms that are moved."""
    moved: Counter[tuple[str, str]] = Counter()
    for change in changes:
        if change.action is Action.MOVE and change.desired is not None and change.desired.kind is Kind.ALARM:
            kind = types[change.address.type]
            note = kind.move_note(change.desired) if isinstance(kind, NotesMoves) else None
            if note is not None:
                moved[change.address.type, note] += 1
    for (name, note), count in moved.items():
        number = f"{count:,} {name}{'' if count == 1 else 's'}"
        yield Diagnostic(f"{number} will be moved: {note}", severity=Severity.WARNING)


class _Rename(NamedTuple):
    """A cleared alarm and a created one that is equal; ``named`` is the field that holds the resource's own name."""

    source: Address
    destination: Address
    named: str | None


def rename_hints(changes: Sequence[Change]) -> Iterator[Diagnostic]:
    """A warning if alarms are cleared that equal alarms to be created: they may have been renamed."""
    gone = [change for change in changes if change.action is Action.CLEAR and change.desired is None and change.before]
    new = [change for change in changes if change.action is Action.CREATE] if gone else []
    if not new:
        return
    found = _renames(gone, new)
    if not found:
        return
    lines = _lines(found, gone, new)
    shown = lines[:_NAMED]
    more = [f"  # and {len(lines) - _NAMED:,} more"] if len(lines) > _NAMED else []
    hint = ["if it was renamed, add this, so that nothing is cleared:", "moved:", *shown, *more]
    named = {item.named: item for item in found if item.named is not None}
    hint += [
        f"and keep the name it fires by: write `{field}: {item.source.name}` in {_whole(item.destination)}"
        for field, item in named.items()
    ]
    first = found[0]
    rest = f", and so for {len(found) - 1:,} more" if len(found) > 1 else ""
    yield Diagnostic(
        f"{first.source} is cleared, and {first.destination}, which is equal, raised{rest}",
        hint="\n".join(hint),
        severity=Severity.WARNING,
    )


def _renames(gone: Iterable[Change], new: Iterable[Change]) -> list[_Rename]:
    waiting: dict[object, deque[Change]] = {}
    for change in gone:
        for content in _contents(change):
            waiting.setdefault((content, change.address.key), deque()).append(change)
            waiting.setdefault(content, deque()).append(change)
    taken: set[Address] = set()
    found = []
    for change in new:
        same, alike = _contents(change)
        key = change.address.key
        for wanted in ((same, key), (alike, key), same, alike):
            equal = waiting.get(wanted, deque())
            while equal and equal[0].address in taken:
                equal.popleft()
            if equal:
                old = equal.popleft()
                taken.add(old.address)
                found.append(_Rename(old.address, change.address, _named(old, change)))
                break
    return found


def _contents(change: Change) -> tuple[object, object]:
    """The content of an alarm without its address: unchanged, and with the name of its resource replaced."""
    value = change.desired or change.before[0]
    rest = change.address.type, value.provider, canonical(dict(value.attributes))
    own = {key: _OWN_NAME if text == change.address.name else text for key, text in value.identity.items()}
    return (*rest, frozenset(value.identity.items())), (*rest, frozenset(own.items()))


def _named(old: Change, new: Change) -> str | None:
    """The field whose value is the name of the resource, and so differs under the new name."""
    identity = old.before[0].identity
    return next(
        (
            key
            for key, text in (new.desired.identity.items() if new.desired is not None else ())
            if text == new.address.name and identity.get(key) == old.address.name != text
        ),
        None,
    )


def _lines(found: Sequence[_Rename], gone: Iterable[Change], new: Iterable[Change]) -> list[str]:
    """The YAML of the moves: one for a resource whose instances all keep their keys."""
    groups: dict[tuple[Address, Address], list[_Rename]] = {}
    for item in found:
        groups.setdefault((_whole(item.source), _whole(item.destination)), []).append(item)
    sizes: dict[Address, int] = {}
    for change in (*gone, *new):
        sizes[_whole(change.address)] = sizes.get(_whole(change.address), 0) + 1
    lines = []
    for (source, destination), group in groups.items():
        whole = source != destination and all(item.source.key == item.destination.key for item in group)
        if whole and len(group) == sizes[source] == sizes[destination]:
            lines.append(_line(source, destination))
        else:
            lines += [_line(item.source, item.destination) for item in group]
    return lines


def _line(source: Address, destination: Address) -> str:
    return f"  - {{from: {_quoted(source)}, to: {_quoted(destination)}}}"


def _quoted(address: Address) -> str:
    text = str(address)
    return text if address.key is None else "'" + text.replace("'", "''") + "'"


def _whole(address: Address) -> Address:
    return address._replace(key=None)
