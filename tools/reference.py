"""The language reference: every block and key of a stack, from the JSON Schema, which is made from the models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.app.schemas import schemas

Schema = Mapping[str, Any]

HEAD = """\
# Language reference

Every key of a stack. This page is generated from the models that validate a stack (`make docs`), like the JSON
Schema in `schema/`, with which editors complete and validate: put `# yaml-language-server: $schema=...` on the first
line of a file.
See [Expressions](expressions.md) for expressions, and [Data and checks](checks.md) for queries and checks.

A value whose type has `${}` can be an expression. Durations are written `90s`, `30m`, `12h`, `15d`; instants as RFC
3339 or as epoch milliseconds.
"""
SECTIONS = (
    ("Variables", "`variables: NAME:`", ["Variable", "Validation"]),
    ("Providers", "`providers: KEY:`, the key being the type or `TYPE.NAME`", ["provider_", "Auth", "BcmAuth", "Iam"]),
    ("Resources", "`resources: TYPE: NAME:`", ["resource_", "Lifecycle"]),
    ("Renaming", "`moved:`, a list; see [Renaming](renaming.md)", ["Moved"]),
    ("Importing", "`import:`, a list; see [Importing](importing.md)", ["ImportBlock"]),
    ("Leaving out", "`removed:`, a list; see [Leaving out](leaving-out.md)", ["Removed"]),
    ("Guards", "`guards:`", ["Guards", "TypeGuards"]),
    ("Data", "`data: TYPE: NAME:`", ["data_", "Relation", "Sort", "Dimension", "Resource"]),
)
REST = ("Checks and drills", "`checks: NAME:` and `drills: NAME:`")


def reference() -> str:
    """The whole page."""
    schema = schemas({})["stack"]
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)  # noqa: S101 - narrows a type
    lines = [HEAD, "## A stack", "", *_table(schema, definitions)]
    told = {"expression", "JsonValue", "VariableType"}
    for title, where, names in SECTIONS:
        found = [name for wanted in names for name in _matching(wanted, definitions)]
        told.update(found)
        lines += ["", f"## {title}", "", where, *_blocks(found, definitions)]
    rest = [name for name in definitions if name not in told]
    lines += ["", f"## {REST[0]}", "", REST[1], *_blocks(rest, definitions)]
    return "\n".join(lines) + "\n"


def _matching(wanted: str, definitions: Schema) -> list[str]:
    return [name for name in definitions if name == wanted or (wanted.endswith("_") and name.startswith(wanted))]


def _blocks(names: Sequence[str], definitions: Schema) -> Iterator[str]:
    for name in names:
        found = definitions[name]
        yield from ["", f"### {_title(name)}", ""]
        if found.get("description"):
            yield from [_cell(found["description"]), ""]
        yield from _table(found, definitions)


def _title(name: str) -> str:
    kind, _, rest = name.partition("_")
    return f"`{rest}`" if kind in ("provider", "resource", "data") else name.removesuffix("Spec")


def _table(schema: Schema, definitions: Schema) -> Iterator[str]:
    if "properties" not in schema:
        yield _cell(f"Takes {_type(schema, definitions)}.")
        return
    required = schema.get("required", ())
    yield "| key | type | default | what it is |"
    yield "|---|---|---|---|"
    for key, value in schema["properties"].items():
        default = "**required**" if key in required else _default(value)
        about = value.get("description") or definitions.get(_referred(value), {}).get("description", "")
        yield f"| `{key}` | {_cell(_type(value, definitions))} | {default} | {_cell(about)} |"


def _default(schema: Schema) -> str:
    default = schema.get("default")
    return "" if default in (None, {}, []) else f"`{json.dumps(default)}`"


def _referred(schema: Schema) -> str:
    references = [choice.get("$ref", "") for choice in (schema, *schema.get("anyOf", ()))]
    names = [reference.removeprefix("#/$defs/") for reference in references if reference]
    return next((name for name in names if name != "expression"), "")


def _type(schema: Schema, definitions: Schema) -> str:
    """A type in words."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        if name in ("JsonValue", "expression"):
            return "any" if name == "JsonValue" else "${}"
        found = definitions[name]
        return " or ".join(f"`{item}`" for item in found["enum"]) if "enum" in found else _title(name)
    if "anyOf" in schema:
        choices = [_type(choice, definitions) for choice in schema["anyOf"] if choice.get("type") != "null"]
        kept = list(dict.fromkeys(choice for choice in choices if choice != "${}"))
        return " or ".join(kept) + (" `${}`" if "${}" in choices else "")
    if "enum" in schema:
        return ", ".join(f"`{item}`" for item in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if str(schema.get("pattern", "")).startswith("^([0-9]+(?:ms|s|m|h|d))") or "90s" in schema.get("examples", ()):
        return "duration"
    if schema.get("format") == "date-time":
        return "instant"
    return _plain(schema, definitions)


def _plain(schema: Schema, definitions: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((item for item in kind if item != "null"), None)
    low, high = schema.get("minimum"), schema.get("maximum")
    span = f", {low} to {high}" if low is not None and high is not None else ""
    if kind == "array":
        items = schema.get("items")
        return f"list of {_type(items, definitions)}" if items else "list"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"mapping to {_type(values, definitions)}" if isinstance(values, dict) and values else "mapping"
    words = {"string": "text", "integer": f"whole number{span}", "number": f"number{span}", "boolean": "true or false"}
    return words.get(str(kind), "any")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
