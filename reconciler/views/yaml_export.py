"""YAML export: the YAML that declares alarms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from reconciler.core.address import Address
from reconciler.core.text import printable_json

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[ .-][A-Za-z0-9_]+)*|[0-9]+(?:ms|s|m|h|d)(?:[0-9]+(?:ms|s|m|h|d))*")
_WORDS = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"])


def yaml_export(
    resources: Mapping[str, Mapping[str, Mapping[str, object]]],
    head: Sequence[str] = (),
    imports: Mapping[Address, str] = MappingProxyType({}),
) -> str:
    """The file of a stack that declares these, by type and name; ``head`` are comment lines at the top.

    ``imports`` are ids of objects to adopt, by address.
    """
    lines = [f"# {line}".rstrip() for line in head]
    if imports:
        lines += ["import:", *(f"  - {{to: {address}, id: {json.dumps(id_)}}}" for address, id_ in imports.items())]
    lines += ["resources:", *_mapping(resources, 1)]
    return "\n".join(lines) + "\n"


def _mapping(value: Mapping[str, object], depth: int) -> Iterator[str]:
    for key, item in value.items():
        start = f"{'  ' * depth}{_text(key)}:"
        if isinstance(item, Mapping) and item:
            yield start
            yield from _mapping(item, depth + 1)
        else:
            yield f"{start} {_inline(item)}"


def _inline(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(key)}: {_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return _scalar(value)


def _scalar(value: object) -> str:
    """A value on one line; texts are literal, never expressions."""
    return _text(value.replace("${", "$${")) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    """A text, quoted if it could be parsed as anything else."""
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    # JSON strings are valid YAML, once characters that YAML treats as line breaks are escaped.
    return printable_json(json.dumps(value, ensure_ascii=False))
