"""Filters and functions of expressions: the pure ones of Jinja2 that make sense in a configuration.

Filters that generate HTML or lay out text are left out, as is ``random``. Some of Jinja2's are replaced because they
guess or are unbounded: ``int`` and ``float`` reject what is not a number, ``sum`` adds only numbers, and everything
that multiplies text is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from itertools import product
from math import prod
from types import GeneratorType
from typing import cast

from jinja2 import pass_environment
from jinja2.environment import Environment
from jinja2.filters import FILTERS as JINJA
from jinja2.filters import make_attrgetter
from jinja2.sandbox import MAX_RANGE
from jinja2.tests import TESTS as JINJA_TESTS

from reconciler.config.expressions.budget import TooMuchError, charge, charge_text, charge_work
from reconciler.config.expressions.compare import TESTS as COMPARING_TESTS
from reconciler.config.expressions.compare import each, ordered
from reconciler.config.expressions.values import as_text, to_json, to_value
from reconciler.config.yaml.source_map import kind

Number = int | float

_KEPT = (
    *("capitalize", "default", "dictsort", "first", "items", "last", "length", "list", "lower", "map", "max", "min"),
    *(
        "reject",
        "rejectattr",
        "reverse",
        "select",
        "selectattr",
        "sort",
        "title",
        "trim",
        "truncate",
        "unique",
        "upper",
    ),
    "urlencode",
)
_TESTS = (
    *("boolean", "defined", "divisibleby", "eq", "even", "false", "float", "ge", "gt", "in", "integer", "iterable"),
    *(
        "le",
        "lower",
        "lt",
        "mapping",
        "ne",
        "none",
        "number",
        "odd",
        "sequence",
        "string",
        "true",
        "undefined",
        "upper",
    ),
    *("==", "!=", ">", ">=", "<", "<="),
)
_COMPARING = frozenset(["dictsort", "max", "min", "sort", "unique"])
"""Filters that compare items."""
_SIZED = (str, list, tuple, dict, range)
_CALL = 20
"""The cost of a call, in items."""
_FORMAT_WIDTH = re.compile(r"%[^a-zA-Z%]*?(?:\*|[0-9]{4,})")


def _number(value: object) -> Number:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise TypeError(f"{kind(to_value(value))} is not a number")


def _absolute(value: object) -> Number:
    return abs(_number(value))


def _integer(value: object, default: int | None = None, base: int = 10) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f"{kind(to_value(value))} is not a whole number")
    try:
        return int(value, base) if isinstance(value, str) else int(value)
    except (ValueError, OverflowError):
        if default is None:
            raise ValueError("it is not a whole number; int(0) would take 0 instead") from None
        return default


def _decimal(value: object, default: float | None = None) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f"{kind(to_value(value))} is not a number")
    try:
        return float(value)
    except (ValueError, OverflowError):
        if default is None:
            raise ValueError("it is not a number; float(0.0) would take 0.0 instead") from None
        return default


def _round(value: object, precision: int = 0) -> Number:
    if not 0 <= precision <= 15:
        raise ValueError("round takes 0 to 15 digits")
    return round(_number(value), precision) if precision else round(_number(value))


def _replace(value: object, old: str, new: str, count: int = -1) -> str:
    text = as_text(value)
    old, new = as_text(old), as_text(new)
    found = text.count(old) if count < 0 else min(count, text.count(old))
    charge_text(len(text) + found * max(0, len(new) - len(old)))
    return text.replace(old, new, count)


@pass_environment
def _join(environment: Environment, value: Iterable[object], d: str = "", attribute: str | None = None) -> str:
    items = value if attribute is None else map(make_attrgetter(environment, attribute), value)
    texts = []
    for item in items:
        texts.append(as_text(item))
        charge_text(len(texts[-1]) + len(d))
    charge_text(sum(map(len, texts)) + len(d) * len(texts))
    return as_text(d).join(texts)


@pass_environment
def _sum(environment: Environment, value: Iterable[object], attribute: str | None = None) -> Number:
    items = value if attribute is None else map(make_attrgetter(environment, attribute), value)
    return sum(map(_number, items))


def _flatten(value: Iterable[object], levels: int | None = None) -> list[object]:
    """Flatten nested lists, at all levels by default."""
    made: list[object] = []
    for item in _listed(value, "flatten"):
        charge(1)
        if isinstance(item, list | tuple) and (levels is None or levels > 0):
            made += _flatten(item, None if levels is None else levels - 1)
        else:
            made.append(item)
    return made


def _product(*lists: Iterable[object]) -> list[list[object]]:
    """Every combination of an item of each list, in order."""
    given = [list(_listed(value, "product")) for value in lists]
    charge(prod(map(len, given)) * (len(given) + 1))
    return [list(combination) for combination in product(*given)]


def _listed(value: object, name: str) -> Iterable[object]:
    if isinstance(value, str | dict) or not isinstance(value, Iterable):
        raise TypeError(f"{name} works on lists, not on {kind(to_value(value))}")
    return value


def _format(value: object, *arguments: object) -> str:
    text = as_text(value)
    if _FORMAT_WIDTH.search(text):
        raise ValueError("format takes widths of at most three digits")
    charge_text(len(text) * 500 if len(text) > 2000 else len(text))
    given = to_value(arguments)
    assert isinstance(given, list)  # noqa: S101 - narrows a type
    made = text % tuple(given)
    charge_text(len(made))
    return made


def _string(value: object) -> str:
    if isinstance(value, str | int | float):
        return as_text(value)
    return to_json(value)


def _range(*bounds: int) -> range:
    made = range(*bounds)
    if len(made) > MAX_RANGE:
        raise TooMuchError(f"a range has at most {MAX_RANGE:,} items")
    return made


def _charged(function: Callable[..., object], *, counted: bool = False) -> Callable[..., object]:
    """Wrap a filter, test or function so that its call, its arguments and what it yields are charged.

    With ``counted`` its result is charged too.
    """

    @wraps(function)
    def wrapper(*args: object, **kwargs: object) -> object:
        work = _CALL
        for value in args:
            if isinstance(value, _SIZED):
                work += len(value) // 4
        charge_work(work)
        made = function(*args, **kwargs)
        made_type = type(made)
        if made_type is GeneratorType:
            return each(cast(Iterable[object], made))
        if counted and made_type is str:
            charge_text(len(cast(str, made)))
        elif counted and (made_type is list or made_type is tuple):
            charge(len(cast(list[object], made)))
        return made

    return wrapper


def _comparing(function: Callable[..., object]) -> Callable[..., object]:
    """Wrap a filter so that comparing its items is charged."""

    @wraps(function)
    def wrapper(*args: object, **kwargs: object) -> object:
        given = list(args)
        for index, value in enumerate(args):
            if isinstance(value, dict):
                ordered(value.items())
            elif isinstance(value, Iterable) and not isinstance(value, str):
                given[index] = ordered(value)
        return function(*given, **kwargs)

    return wrapper


def _jinja(name: str) -> Callable[..., object]:
    function: Callable[..., object] = JINJA[name]
    return _charged(_comparing(function) if name in _COMPARING else function, counted=True)


_OURS: Mapping[str, Callable[..., object]] = {
    "abs": _absolute,
    "flatten": _flatten,
    "float": _decimal,
    "format": _format,
    "int": _integer,
    "join": _join,
    "product": _product,
    "replace": _replace,
    "round": _round,
    "string": _string,
    "sum": _sum,
    "tojson": to_json,
}
FILTERS: Mapping[str, Callable[..., object]] = {
    **{name: _jinja(name) for name in _KEPT},
    "d": _jinja("default"),
    "count": _jinja("length"),
    **{name: _charged(function) for name, function in _OURS.items()},
}
"""Filters by name; the first argument is the value to the left of the ``|``."""

TESTS: Mapping[str, Callable[..., object]] = {
    **{
        name: _charged(cast(Callable[..., object], JINJA_TESTS[name])) for name in _TESTS if name not in COMPARING_TESTS
    },
    **COMPARING_TESTS,
}
FUNCTIONS: Mapping[str, Callable[..., object]] = {"product": _charged(_product), "range": _charged(_range)}
