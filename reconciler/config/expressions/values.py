"""Values: what an expression may return, checked and counted, and how it is written inside a text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from types import GeneratorType

from reconciler.config.expressions.budget import MAX_BITS, TooMuchError, charge, charge_text
from reconciler.config.yaml.source_map import Value, kind

MAX_DEPTH = 64


def to_value(value: object, depth: int = 0) -> Value:
    """Convert a value to plain types. Raises UndefinedError or TypeError if it contains anything else."""
    value_type = type(value)
    if value_type is str:
        return _text(value)  # type: ignore[arg-type]  # narrowed by the exact type
    if value_type is bool or value is None:
        return value  # type: ignore[return-value]  # narrowed by the exact types above
    if isinstance(value, int | float):
        return _finite(value)
    if depth > MAX_DEPTH:
        raise TypeError(f"it is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        charge(len(value))
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"a key of a mapping must be text, not {kind(to_value(key))}")
            _text(key)
        return {key: to_value(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        charge(len(value))
        return [to_value(item, depth + 1) for item in value]
    if isinstance(value, range | GeneratorType | Iterator) or value_type in (type({}.items()), type({}.keys())):
        return list(_taken(value, depth))
    _refuse_undefined(value)
    raise TypeError("it is not a value that can be written in YAML")


def _text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("it is text with half of a surrogate pair, which is not a character") from None
    return value


def _finite(value: int | float) -> int | float:
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("it is not a finite number")
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise TooMuchError(f"a whole number may have at most {MAX_BITS:,} bits")
    return value


def _refuse_undefined(value: object) -> None:
    from jinja2.exceptions import UndefinedError  # already loaded if an expression produced the value
    from jinja2.runtime import Undefined

    if isinstance(value, Undefined):
        raise UndefinedError(value._undefined_message)


def _taken(value: object, depth: int) -> Iterator[Value]:
    for item in value:  # type: ignore[attr-defined]  # one of the iterables named above
        charge(1)
        yield to_value(item, depth + 1)


def as_text(value: object) -> str:
    """A value as part of a longer text: booleans as in YAML; null, lists and mappings are rejected."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(_finite(value))
    found = to_value(value)
    if found is None:
        raise TypeError("null cannot be part of a text; give a default: ... | default('', true)")
    raise TypeError(f"{kind(found)} cannot be part of a text; use a filter: ... | join(', '), or ... | tojson")


def join_text(pieces: tuple[object, ...]) -> str:
    """Concatenate the pieces."""
    texts = [as_text(piece) for piece in pieces]
    charge_text(sum(map(len, texts)))
    return "".join(texts)


def to_json(value: object) -> str:
    """JSON text, keys sorted."""
    found = to_value(value)
    charge_text(_weight(found))
    text = json.dumps(found, ensure_ascii=False, sort_keys=True)
    charge_text(len(text))
    return text


def _weight(value: Value) -> int:
    """An estimate of the value's length as JSON, never too high."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(key) + _weight(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(map(_weight, value))
    return 1
