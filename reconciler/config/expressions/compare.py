"""Comparison operators of expressions, charged to the budget before they run."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any

from reconciler.config.expressions.budget import MAX_STEP, charge, charge_work

_CHARACTERS = 64
"""How many characters of a text compare in the time of one item."""


def weigh(value: object, characters: int = _CHARACTERS) -> int:
    """The number of items in a value, at all levels, where a number of characters of a text count as one item.

    Counting stops once the value is too large to compare.
    """
    if not isinstance(value, list | tuple | dict):
        return 1 + len(value) // characters if isinstance(value, str) else 1
    total = 0
    pending: list[object] = [value]
    while pending and total <= MAX_STEP:
        item = pending.pop()
        if isinstance(item, dict):
            pending += item.values()
        elif isinstance(item, list | tuple):
            pending += item
        elif isinstance(item, str):
            total += len(item) // characters
        total += 1
        if not total % 1024:
            charge_work(1024)
    return total


def contains(container: object, item: object) -> bool:
    """Whether an item is in a list, a mapping or a text."""
    if isinstance(container, str):
        charge_work(1 + (len(container) + (len(item) if isinstance(item, str) else 0)) // 8)
    elif isinstance(container, list | tuple):
        charge_work(1 + len(container) * weigh(item))
    elif isinstance(container, Sized):
        charge_work(1 + weigh(item))
    return item in container  # type: ignore[operator]  # a TypeError says what it is not


def is_in(item: object, container: object) -> bool:
    """``contains`` as a test: the value first."""
    return contains(container, item)


def _charged(function: Callable[[Any, Any], object]) -> Callable[[object, object], object]:
    def compare(left: object, right: object) -> object:
        if isinstance(left, str | list | tuple | dict) and isinstance(right, str | list | tuple | dict):
            charge_work(min(weigh(left), weigh(right)))
        else:
            charge_work()
        return function(left, right)

    return compare


def ordered(items: Iterable[object]) -> list[object]:
    """The items as a list, after charging for sorting or comparing them, and for the keys computed for it."""
    made = items if isinstance(items, list) else list(each(items))
    total = weigh(made, 1)
    charge(total)
    charge_work(total * max(1, len(made).bit_length()) // 16 + 1)
    return made


def each(items: Iterable[object]) -> Iterable[object]:
    """The items, each charged when it is taken."""
    for item in items:
        charge_work(2)
        yield item


OPERATORS: Mapping[str, Callable[[object, object], object]] = {
    "eq": _charged(operator.eq),
    "ne": _charged(operator.ne),
    "lt": _charged(operator.lt),
    "lteq": _charged(operator.le),
    "gt": _charged(operator.gt),
    "gteq": _charged(operator.ge),
    "in": is_in,
    "notin": lambda item, container: not contains(container, item),
}
"""Operators by Jinja2's names."""
TESTS: Mapping[str, Callable[[object, object], object]] = {
    **dict.fromkeys(("eq", "=="), OPERATORS["eq"]),
    **dict.fromkeys(("ne", "!="), OPERATORS["ne"]),
    **dict.fromkeys(("lt", "<"), OPERATORS["lt"]),
    **dict.fromkeys(("le", "<="), OPERATORS["lteq"]),
    **dict.fromkeys(("gt", ">"), OPERATORS["gt"]),
    **dict.fromkeys(("ge", ">="), OPERATORS["gteq"]),
    "in": is_in,
}
"""Tests by name."""
