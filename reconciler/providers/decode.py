"""Decoding: a service's JSON as plain values, read so that odd data is shown and never crashes."""

from __future__ import annotations

import json
import math

from pydantic_core import from_json

from reconciler.core.text import carry

_MAX_LEVELS = 200


class NestedTooDeeplyError(ValueError):
    """JSON whose lists and objects nest more deeply than the parser follows, about 200 levels."""

    def __init__(self) -> None:
        super().__init__("nested too deeply")


def decode(body: bytes) -> object:
    """The plain values of a JSON text; raises ValueError if it is none."""
    try:
        return from_json(body)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise NestedTooDeeplyError from None
    try:
        # The fast parser refuses half a surrogate pair, which one odd object must not make of a whole page.
        return _carried(json.loads(body))
    except RecursionError:
        raise NestedTooDeeplyError from None


def _carried(value: object, level: int = 0) -> object:
    """A value in which characters stand for lone surrogates."""
    if isinstance(value, str):
        return carry(value)
    if level > _MAX_LEVELS:
        raise NestedTooDeeplyError
    if isinstance(value, list):
        return [_carried(item, level + 1) for item in value]
    if isinstance(value, dict):
        return {carry(key): _carried(item, level + 1) for key, item in value.items()}
    return value


def integer(value: object) -> int | None:
    """A whole number, also where it is written as a text or a fraction; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else None
    if isinstance(value, str) and value.isascii() and len(value) <= 20:
        try:
            return int(value)
        except ValueError:
            return None
    return None


def text(value: object) -> str:
    """A text as it is, any other value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
