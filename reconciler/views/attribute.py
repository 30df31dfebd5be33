"""Attributes: what a change sets, updates and removes, as rows that each format lays out."""

import json
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import NamedTuple

from reconciler.core.action import Action
from reconciler.core.desired import Desired
from reconciler.core.duration import format_duration, format_instant
from reconciler.core.observed import Observed
from reconciler.core.operation import Verb
from reconciler.core.text import printable
from reconciler.plan.plan import Change

DURATIONS = frozenset({"timeout", "duration"})
INSTANTS = frozenset({"starts_at", "ends_at", "time"})
"""Attributes in milliseconds, by the last part of their path; they are shown as durations."""

_COMPARED = 400
"""Two texts with more lines than this are shown one after the other, since comparing them would take too long."""

_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, default=str).encode


class AttributeRow(NamedTuple):
    """One attribute: its sign (``+ - ~``), path, old and new value (None: absent), and a remark."""

    sign: str
    path: str
    old: object = None
    new: object = None
    remark: str = ""


class Attributes(NamedTuple):
    """The rows to show for a change, and how many unchanged attributes are not shown."""

    rows: tuple[AttributeRow, ...]
    hidden: int = 0


def attributes(change: Change) -> Attributes:
    """The rows for a change."""
    if change.action in (Action.CREATE, Action.RECORD) and change.desired is not None:
        return Attributes(tuple([AttributeRow("+", path, None, value) for path, value in declared(change.desired)]))
    if change.action is Action.FORGET:
        return Attributes(())
    if change.action is Action.CLEAR:
        return Attributes((*_cleared(change), *_known(change)))
    rows = tuple(
        AttributeRow(
            _sign(item.old, item.new), item.path, item.old, item.new, "forces replace" if item.forces_replace else ""
        )
        for item in change.differences
    )
    changed = {item.path for item in change.differences}
    same = [path for path, _ in declared(change.desired) if path not in changed] if change.desired else []
    several = change.action is not Action.REPLACE or len(change.before) > 1
    return Attributes((*rows, *(_cleared(change) if several else ())), len(same))


def outline(change: Change) -> tuple[object, ...]:
    """Which attributes a change shows and how, without their values: equal for similar changes."""
    if change.action in (Action.CREATE, Action.RECORD) and change.desired is not None:
        return tuple([path for path, _ in declared(change.desired)])
    return tuple([(row.sign, row.path, row.remark) for row in attributes(change).rows if row.path != "id"])


def declared(desired: Desired) -> Iterator[tuple[str, object]]:
    """Every attribute that is set, by path: the occurrence, the identity, the others."""
    if desired.occurrence is not None and desired.occurrence != desired.digest:
        yield "occurrence", desired.occurrence
    yield from desired.identity.items()
    yield from _leaves(desired.attributes, "")


def is_block(value: object) -> bool:
    """Whether a value is a multi-line text."""
    return isinstance(value, str) and "\n" in value.rstrip("\n")


def block(row: AttributeRow) -> Iterator[tuple[str, str]]:
    """A row's text, line by line, printable, each with its sign: blank if the line is on both sides."""
    for sign, text in _compared(_text_lines(row.old), _text_lines(row.new)):
        yield sign if row.sign == "~" else " ", printable(text)


def block_mark(row: AttributeRow) -> str:
    """The YAML block indicator of the text: ``|`` if it ends with a newline, ``|-`` if not."""
    text = row.new if row.new is not None else row.old
    return "|" if isinstance(text, str) and text.endswith("\n") else "|-"


def value_text(path: str, value: object) -> str:
    """A value on one printable line, as it would be written; an absent one is ``null``."""
    if isinstance(value, int) and not isinstance(value, bool):
        name = path.rpartition(".")[2]
        if name in DURATIONS:
            return format_duration(value)
        if name in INSTANTS:
            return format_instant(value)
    return printable(_encode(value))


def _leaves(value: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for key in sorted(value):
        item = value[key]
        if isinstance(item, Mapping):
            yield from _leaves(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item


def _sign(old: object, new: object) -> str:
    if old is None:
        return "+"
    return "-" if new is None else "~"


def _cleared(change: Change) -> Iterator[AttributeRow]:
    """The alarms that the change certainly clears."""
    targets = {item.target for item in change.operations if item.verb is Verb.CLEAR and not item.only_if_duplicate}
    for found in change.before:
        if found.id in targets:
            yield AttributeRow("-", "id", old=found.id, remark=f"firing since {format_instant(found.starts_at)}")


def _known(change: Change) -> Iterator[AttributeRow]:
    """The identity of the newest alarm at an address."""
    newest: Observed | None = next(iter(change.before), None)
    if newest is not None:
        for name, value in newest.identity.items():
            yield AttributeRow("-", name, old=value)


def _text_lines(value: object) -> list[str]:
    if value is None:
        return []
    return value.removesuffix("\n").split("\n") if isinstance(value, str) else [value_text("", value)]


def _compared(old: list[str], new: list[str]) -> Iterator[tuple[str, str]]:
    """The lines of two texts with their signs: removed, added, or on both sides."""
    if not old or not new or max(len(old), len(new)) > _COMPARED:
        yield from (("-", text) for text in old)
        yield from (("+", text) for text in new)
        return
    for tag, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from ((" ", text) for text in old[old_from:old_to])
        else:
            yield from (("-", text) for text in old[old_from:old_to])
            yield from (("+", text) for text in new[new_from:new_to])
