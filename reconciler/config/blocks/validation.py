"""Validation: pydantic's errors as messages of this project, at the position of the key or value."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.yaml.parser import WrittenFloat, WrittenInt, resolve
from reconciler.config.yaml.source_map import Map, Node, Value, kind
from reconciler.core.address import Address
from reconciler.core.diagnostic import did_you_mean

Location = tuple[int | str, ...]

_EXPECTED = r"'((?:[^'\\]|\\.)*)'"
_SHOWN = 60


def report(
    error: ValidationError,
    node: Node,
    known: Iterable[str],
    diagnostics: DiagnosticCollector,
    *,
    model: type[BaseModel] | None = None,
    value: Value = None,
    address: Address | None = None,
    what: str | None = None,
    hidden: Callable[[Location], bool] = lambda _: False,
    silent: Container[str] = (),
) -> None:
    """Report every validation error of a node.

    ``value`` is what was validated (with expressions evaluated), ``known`` the keys allowed at the top level, for "did
    you mean"; ``model`` gives those below. ``what`` names the object, for a missing field. If ``hidden``, values are
    not quoted. Errors at the ``silent`` keys of the top level are not reported.
    """
    given = node.value if value is None else value
    errors = error.errors(include_url=False, include_context=True, include_input=False)
    for found in _best([found for found in errors if not found["loc"] or found["loc"][0] not in silent], given):
        location = _real(found["loc"], given)
        summary, hint = _sentence(found, location, given, known, model, what, hidden(location))
        if found["type"] in _TYPES and _evaluated(node, location):
            hint = _conversion(_TYPES[found["type"]], _at(location, given), hidden(location))
        elif found["type"] == "string_type" and not hidden(location) and _has_spellings(_at(location, given)):
            hint = f'quote it if text is meant: "{spelling(node, location)}"'
        rule = f"{found['type']} {found['loc']}"
        diagnostics.add(_place(found, location, node), summary, hint, address=address, rule=rule)


def _best(errors: Sequence[ErrorDetails], given: Value) -> list[ErrorDetails]:
    """If a value matches no member of a union, only the errors of the closest member."""
    groups: dict[Location, dict[str, list[ErrorDetails]]] = {}
    kept: list[ErrorDetails] = []
    for found in errors:
        at = _walked(found["loc"], given)
        rest = found["loc"][at:]
        if len(rest) > (1 if found["type"] in ("missing", "extra_forbidden") else 0) and isinstance(rest[0], str):
            groups.setdefault(found["loc"][:at], {}).setdefault(rest[0], []).append(found)
        else:
            kept.append(found)
    for members in groups.values():
        kept += sorted(members.values(), key=_distance)[0]
    return kept


def _distance(errors: Sequence[ErrorDetails]) -> tuple[int, int]:
    wrong_kind = sum(found["type"].endswith("_type") for found in errors)
    return wrong_kind, len(errors)


def _enter(value: Value, part: int | str) -> tuple[bool, Value]:
    """Follow one step of a location into a value: whether it exists, and its value."""
    if isinstance(value, dict) and isinstance(part, str) and part in value:
        return True, value[part]
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return True, value[part]
    return False, value


def _walked(location: Location, given: Value) -> int:
    """How many steps of a location exist in the value."""
    value = given
    for step, part in enumerate(location):
        inside, value = _enter(value, part)
        if not inside:
            return step
    return len(location)


def _real(location: Location, given: Value) -> Location:
    """A location without the steps that pydantic adds (members of unions, ``[key]``)."""
    value = given
    real: list[int | str] = []
    for part in location:
        inside, value = _enter(value, part)
        if inside:
            real.append(part)
    return tuple(real)


def _place(found: ErrorDetails, location: Location, node: Node) -> int:
    """The position to report: the key if it is wrong, the object's name if a field is missing."""
    current = node
    for part in location:
        child = current.child(part)
        if child is None:
            return current.offset
        current = child
    if found["type"] == "missing" or not location:
        return current.key_offset
    if found["type"] == "extra_forbidden" or found["loc"][-1] == "[key]":
        return current.key_offset
    return current.offset


def _at(location: Location, given: Value) -> Value:
    value = given
    for part in location:
        _, value = _enter(value, part)
    return value


def _nested(model: object, location: Location) -> list[str]:
    """The fields of the model at a location inside another; empty if unknown."""
    is_key = False
    for part in location:
        if is_key or isinstance(part, int):  # a key of a mapping, or an index of a list, of models
            is_key = False
            continue
        if not isinstance(model, type) or not issubclass(model, BaseModel) or part not in model.model_fields:
            return []
        is_key = get_origin(model.model_fields[part].annotation) is dict
        pending: list[object] = [model.model_fields[part].annotation]
        model = None
        while pending and model is None:
            kind_of = pending.pop(0)
            if isinstance(kind_of, type) and issubclass(kind_of, BaseModel):
                model = kind_of
            pending += get_args(kind_of)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _sentence(
    found: ErrorDetails,
    location: Location,
    given: Value,
    known: Iterable[str],
    model: type[BaseModel] | None,
    what: str | None,
    hidden: bool,
) -> tuple[str, str | None]:
    kind_of_error = found["type"]
    context: Mapping[str, object] = found.get("ctx", {})
    value = _at(location, given)
    field = ".".join(map(str, location))
    if kind_of_error == "missing":
        missing = found["loc"][-1]
        owner = field or what
        return f'"{missing}" is missing' + (f" in {owner}" if owner else ""), f"add {missing}: ..."
    if kind_of_error == "extra_forbidden":
        key = str(found["loc"][-1])
        inside = f" in {'.'.join(map(str, location[:-1]))}" if len(location) > 1 else ""
        choices = list(known) if len(location) <= 1 else _nested(model, location[:-1])
        hint = did_you_mean(key, choices) or (f"the keys are {', '.join(sorted(choices))}" if choices else None)
        before = key.split(":", 1)[0]
        if before != key and before in choices:
            hint = "write a space after the colon"
        return f'unknown key "{key}"{inside}' if not hidden else f"unknown key{inside}", hint
    shown = f"the value of {field}" if hidden and field else "this value" if hidden else _shown(value)
    if found["loc"][-1:] == ("[key]",) and location:
        shown = f'the key "{location[-1]}"'
    elif field and not hidden:
        shown = f"{field}: {shown}"
    if kind_of_error in ("literal_error", "enum"):
        choices = re.findall(_EXPECTED, str(context.get("expected", "")))
        hint = did_you_mean(str(value), choices) if isinstance(value, str) and not hidden else None
        return f"{shown} is not one of {', '.join(choices)}", hint
    if kind_of_error in _TYPES:
        return _wrong_type(field, value, _TYPES[kind_of_error], hidden)
    if kind_of_error in _SENTENCES:
        hint = None
        if kind_of_error == "string_pattern_mismatch" and isinstance(value, str) and not hidden:
            lower = value.lower()
            hint = f'did you mean "{lower}"?' if re.search(str(context["pattern"]), lower) else None
        return f"{shown} {_SENTENCES[kind_of_error].format(**context)}", hint
    if kind_of_error in ("value_error", "assertion_error"):
        reason = str(context.get("error", found["msg"]))
        return (f"{field}: {reason}" if field else reason), None
    reason = found["msg"][:1].lower() + found["msg"][1:]
    return (f"{field}: {reason}" if field else reason), None


_TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "mapping_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "none_required": "null",
    "finite_number": "a finite number",
}

_SENTENCES = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "string_too_short": "is too short: at least {min_length} characters",
    "string_too_long": "is too long: at most {max_length} characters",
    "string_pattern_mismatch": "does not match the pattern {pattern}",
    "too_short": "has too few entries: {actual_length}, at least {min_length}",
    "too_long": "has too many entries: {actual_length}, at most {max_length}",
}


def _wrong_type(field: str, value: Value, expected: str, hidden: bool) -> tuple[str, str | None]:
    subject = field or "this"
    found = kind(value)
    quoted = "" if hidden or isinstance(value, dict | list) or value is None else f" ({_shown(value)})"
    hint = None
    if expected == "text" and isinstance(value, bool | int | float) and not hidden:
        hint = f'quote it if text is meant: "{_shown(value)}"'
    if isinstance(value, str) and expected != "text" and not hidden:
        hint = "remove the quotes" if _unquoted(value, expected) else None
    return f"{subject} must be {expected}, not {found}{quoted}", hint


def spelling(node: Node, location: Location = ()) -> str:
    """A boolean, an infinity or a NaN as written in the text; in its YAML 1.2 form if that is unknown."""
    current = node
    for part in location:
        current = current.child(part) or current
    text, base = current.source_map.text(current.offset)
    found = re.match(r"[-+]?\.?[A-Za-z]+", text[current.offset - base : current.offset - base + 10])
    if found and str(resolve(found[0])) == str(current.value):
        return found[0]
    return _shown(current.value)


def _has_spellings(value: Value) -> bool:
    """Whether a value does not record how it is written: a boolean, an infinity or a NaN."""
    return isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value))


def _evaluated(node: Node, location: Location) -> bool:
    """Whether the value at a location is the result of an expression."""
    current = node
    for part in location:
        child = current.child(part)
        if child is None:
            break
        current = child
    return isinstance(current.value, str) and "${" in current.value


def _conversion(expected: str, value: Value, hidden: bool) -> str | None:
    """A hint for converting an expression's result to the expected type, if a filter can do that."""
    if isinstance(value, bool | int | float) and expected == "text":
        return 'convert it to text in the expression: "${... | string}"'
    if isinstance(value, str) and not hidden and _unquoted(value, expected) and "number" in expected:
        return 'convert it to a number in the expression: "${... | int}"'
    return None


def _unquoted(text: str, expected: str) -> bool:
    return (expected == "true or false" and text in ("true", "false")) or ("number" in expected and text.isdecimal())


def _shown(value: Value) -> str:
    """A value as users write it, truncated if long."""
    if isinstance(value, Map | dict):
        return "this mapping"
    if isinstance(value, list):
        return "this list"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value).replace("inf", ".inf").replace("nan", ".nan")
    text = str(value) if isinstance(value, WrittenInt | WrittenFloat) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text) - 2} characters)"
