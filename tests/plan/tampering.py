"""Tampering with a plan file: one change to its JSON anywhere, with the checksum put right."""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from reconciler.plan.planfile import PlanDocument
from reconciler.plan.saved import checksum

Path = tuple[str | int, ...]

OTHER_TYPES: tuple[Any, ...] = (None, True, 0, "x", [])


def leaves(value: object, path: Path = ()) -> Iterator[Path]:
    """The path of every value that holds no other."""
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from leaves(item, (*path, key))
    else:
        yield path


def branches(value: object, path: Path = ()) -> Iterator[Path]:
    """The path of every object and list that is not empty."""
    if isinstance(value, dict | list) and value:
        yield path
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from branches(item, (*path, key))


def value_at(document: Any, path: Path) -> Any:
    for key in path:
        document = document[key]
    return document


def similar_values(document: object) -> dict[str | int, list[object]]:
    """The values that the leaves of one name have anywhere in the document: an action, a verb, a key, another's."""
    found: defaultdict[str | int, list[object]] = defaultdict(list)
    for path in leaves(document):
        value = value_at(document, path)
        if value not in found[path[-1]]:
            found[path[-1]].append(value)
    return found


def other_values(value: object, similar: list[object]) -> Iterator[object]:
    """What may stand in place of a value: one of its type, those that stand elsewhere under its name, other types."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, -value)
    elif isinstance(value, str):
        yield f"{value}x"
    others = [each for each in similar if each != value][:2]
    yield from (each for each in (*others, *OTHER_TYPES) if not (type(each) is type(value) and each == value))


def reseal(document: Any) -> str | None:
    """The text of a document with its checksum put right; None if it is no plan file any more."""
    try:
        read = PlanDocument.model_validate(document)
    except ValueError:
        return None
    return json.dumps({**document, "checksum": checksum(read)})


def with_value(document: object, path: Path, value: object) -> str | None:
    """The document with one value set."""
    place = value_at(document, path[:-1])
    before, place[path[-1]] = place[path[-1]], value
    try:
        return reseal(document)
    finally:
        place[path[-1]] = before


def restructured(document: object, path: Path) -> Iterator[tuple[str, str | None]]:
    """The document with a member or item of the branch at ``path`` left out, added, doubled or moved, and which."""
    place = value_at(document, path)
    if isinstance(place, dict):
        for name in place:
            yield "left out", _changed(document, path, lambda found, name=name: found.pop(name))
        yield "added", _changed(document, path, lambda found: found.update(x="x"))
        return
    for number in range(len(place)):
        yield "left out", _changed(document, path, lambda found, number=number: found.pop(number))
        yield "doubled", _changed(document, path, lambda found, number=number: found.append(found[number]))
    yield "moved", _changed(document, path, lambda found: found.reverse())


def _changed(document: object, path: Path, change: Callable[[Any], object]) -> str | None:
    changed = copy.deepcopy(document)
    change(value_at(changed, path))
    return reseal(changed)
