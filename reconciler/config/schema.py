"""The JSON Schema of the language, for editors: made from the models that also check it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from reconciler.config.blocks.common import (
    LEDGER,
    NAME,
    PROVIDER_KEY,
    STACK_NAME,
    STACK_NAME_LENGTH,
    WORD,
    Common,
)
from reconciler.config.blocks.data import DataCommon
from reconciler.config.blocks.defaults import NOT_IN_DEFAULTS
from reconciler.config.blocks.imports import ImportBlock
from reconciler.config.blocks.moved import Moved, Removed
from reconciler.config.blocks.variables import Variable
from reconciler.config.stack import ProviderSchema
from reconciler.core.data_source import sources_of
from reconciler.core.desired import Kind
from reconciler.core.guards import Guards

Schema = dict[str, object]

SAME_AS = "x-same-as"
"""Marks a field whose schema is that of the section of this name."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_EXPRESSION: Schema = {
    "type": "string",
    "pattern": r"\$\{[\s\S]*\}",
    "description": "An expression: ${var.NAME}, ${local.NAME}, ${each.key}, ${each.value}, ${data.TYPE.NAME}.",
}
_OR_EXPRESSION: Schema = {"$ref": "#/$defs/expression"}
_NOTES = frozenset(["title", "description", "default", "examples", "deprecated", "writeOnly"])
_UNFIT = {Kind.EVENT: "state", Kind.ALARM: "occurrence", Kind.SILENCE: "occurrence"}


def stack_schema(catalog: Collection[ProviderSchema], sections: Mapping[str, type[BaseModel]] | None = None) -> Schema:
    """The JSON Schema (2020-12) of one file of a stack, for the providers of a catalog.

    Where an expression is evaluated, the schema also accepts ``${...}``, whatever type is required. ``sections`` adds
    models for the entries of sections that the loader passes on (``checks``, ``drills``).
    """
    providers = sorted(catalog, key=lambda schema: schema.name)
    types = {name: kind for schema in providers for name, kind in sorted(schema.resource_types.items())}
    sources = {name: source for schema in providers for name, source in sorted(sources_of(schema).items())}
    later = sections or {}
    models: list[type[BaseModel]] = [
        Common,
        DataCommon,
        Guards,
        ImportBlock,
        *(schema.settings for schema in providers),
    ]
    models += [kind.model for kind in types.values()]
    models += [source.model for source in sources.values()]
    models += later.values()
    evaluated, definitions = _definitions(models)
    definitions = {name: _with_expressions(found) for name, found in definitions.items()}
    plain, plain_definitions = _definitions([Variable, Moved, Removed])
    for name, found in plain_definitions.items():
        if definitions.setdefault(name, found) != found:
            raise ValueError(f"two models are called {name}")
    definitions["expression"] = _EXPRESSION
    common = _taken(definitions, evaluated[Common])
    asked = _properties(_taken(definitions, evaluated[DataCommon]))
    for schema in providers:
        definitions[f"provider_{schema.name}"] = _provider(schema, definitions[_name(evaluated[schema.settings])])
    for name, kind in types.items():
        definitions[f"resource_{name}"] = _resource(common, definitions[_name(evaluated[kind.model])], kind.kind)
        resource = definitions[f"resource_{name}"]
        fields = {key: value for key, value in _properties(resource).items() if key not in NOT_IN_DEFAULTS}
        defaults = {key: value for key, value in resource.items() if key not in ("required", "description")}
        definitions[f"defaults_{name}"] = {**defaults, "type": ["object", "null"], "properties": fields}
    for name, source in sources.items():
        filters = definitions[_name(evaluated[source.model])]
        definitions[f"data_{name}"] = {**filters, "properties": {**asked, **_properties(filters)}}
    top: Schema = {
        "stack": {
            "type": "string",
            "anyOf": [{"pattern": STACK_NAME, "maxLength": STACK_NAME_LENGTH}, _OR_EXPRESSION],
            "description": "The name of the stack, which marks everything it pushes. Set it in one file only.",
        },
        "ledger": {
            "type": "string",
            "anyOf": [{"pattern": LEDGER}, _OR_EXPRESSION],
            "description": "The URL of a shared ledger, or a directory, relative to the stack; .reconciler by default.",
        },
        "include": {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            "description": "More files of the stack, relative to its directory.",
        },
        "variables": _named(WORD, plain[Variable], "Values that can be set from outside."),
        "locals": _named(WORD, {}, "Values with a name, for expressions: ${local.NAME}."),
        "providers": _providers(providers),
        "resources": {
            "type": ["object", "null"],
            "description": "The alarms and events of the stack, by type and name.",
            "properties": {name: _named(NAME, _ref(f"resource_{name}"), _about(types[name].model)) for name in types},
            "additionalProperties": False,
        },
        "defaults": {
            "type": ["object", "null"],
            "description": "Fields for every resource of a type; mappings are merged, and a resource's own keys win.",
            "properties": {name: _ref(f"defaults_{name}") for name in types},
            "additionalProperties": False,
        },
        "data": {
            "type": ["object", "null"],
            "description": "Queries of the services, by type and name, for checks and for ${data.TYPE.NAME}.",
            "properties": {name: _named(NAME, _ref(f"data_{name}"), sources[name].summary) for name in sources},
            "additionalProperties": False,
        },
        "moved": _list_of(plain[Moved], "Renamed resources, which keep firing under their new addresses."),
        "removed": _list_of(plain[Removed], "Resources that are no longer declared, but keep firing."),
        "import": _list_of(evaluated[ImportBlock], "Unmanaged alarms to take over under declared addresses."),
        "guards": {**evaluated[Guards], "description": "Limits on a plan; --force overrides them."},
        **{section: _named(NAME, evaluated[model], _about(model)) for section, model in later.items()},
    }
    result: Schema = {
        "$schema": DIALECT,
        "title": "A stack of reconciler",
        "description": "Which alarms should be firing or cleared, and which events should have been recorded.",
        "type": "object",
        "properties": top,
        "additionalProperties": False,
    }
    for found in definitions.values():
        for name, field in _properties(found).items():
            if isinstance(field, dict) and SAME_AS in field:
                same = top[str(field[SAME_AS])]
                assert isinstance(same, dict)  # noqa: S101 - narrows a type
                found["properties"] = {**_properties(found), name: {**same, "description": field["description"]}}
    result["$defs"] = _reachable(result, definitions)
    return result


def schema_text(schema: Schema) -> str:
    """The schema as the text of a file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _definitions(models: list[type[BaseModel]]) -> tuple[dict[type[BaseModel], Schema], dict[str, Schema]]:
    """A reference for each model, and all definitions that are referred to."""
    references, whole = models_json_schema([(model, "validation") for model in dict.fromkeys(models)])
    definitions: dict[str, Schema] = whole.get("$defs", {})
    return {model: references[model, "validation"] for model in models}, definitions


def _name(reference: Schema) -> str:
    return str(reference["$ref"]).removeprefix("#/$defs/")


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _taken(definitions: dict[str, Schema], reference: Schema) -> Schema:
    return definitions[_name(reference)]


def _about(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().split("\n\n", 1)[0]


def _named(pattern: str, value: Schema, description: str) -> Schema:
    return {
        "type": ["object", "null"],
        "description": description,
        "patternProperties": {pattern: value},
        "additionalProperties": False,
    }


def _list_of(item: Schema, description: str) -> Schema:
    return {"type": ["array", "null"], "description": description, "items": item}


def _providers(providers: list[ProviderSchema]) -> Schema:
    """A key that starts with the name of a type is of that type; any other key must have ``type``."""
    named = {rf"^{schema.name}(\.|$)": _ref(f"provider_{schema.name}") for schema in providers}
    others = [
        {"properties": {"type": {"const": schema.name}}, "allOf": [_ref(f"provider_{schema.name}")]}
        for schema in providers
    ]
    return {
        "type": ["object", "null"],
        "description": "The services, by a key of your choice; the key says the type: aom, or aom.NAME.",
        "propertyNames": {"pattern": PROVIDER_KEY},
        "patternProperties": named,
        "additionalProperties": {"type": "object", "required": ["type"], "anyOf": others},
    }


def _provider(schema: ProviderSchema, settings: Schema) -> Schema:
    kind = {
        "type": "string",
        "enum": [schema.name],
        "description": "The type of the provider, if the key does not give it.",
    }
    return {**settings, "properties": {"type": kind, **_properties(settings)}}


def _resource(common: Schema, fields: Schema, kind: Kind) -> Schema:
    shared = {name: found for name, found in _properties(common).items() if name != _UNFIT[kind]}
    return {**fields, "properties": {**shared, **_properties(fields)}}


def _properties(schema: Schema) -> dict[str, object]:
    found = schema.get("properties", {})
    assert isinstance(found, dict)  # noqa: S101 - narrows a type
    return found


def _with_expressions(schema: Schema) -> Schema:
    """A definition in which every value below the top level may be an expression."""
    return {key: _inside(key, value) for key, value in schema.items()}


def _inside(keyword: str, value: object) -> object:
    if keyword in ("properties", "patternProperties") and isinstance(value, dict):
        return {name: _or_expression(inner) for name, inner in value.items()}
    if keyword in ("items", "additionalProperties") and isinstance(value, dict):
        return _or_expression(value)
    if keyword == "prefixItems" and isinstance(value, list):
        return [_or_expression(inner) for inner in value]
    if keyword == "anyOf" and isinstance(value, list):
        return [_with_expressions(inner) for inner in value]
    return value


def _or_expression(schema: Schema) -> Schema:
    changed = _with_expressions(schema)
    changed.pop("title", None)
    notes = {key: value for key, value in changed.items() if key in _NOTES}
    rest = {key: value for key, value in changed.items() if key not in _NOTES}
    if _takes_any_text(rest):
        return changed
    choices = rest["anyOf"] if set(rest) == {"anyOf"} else [rest]
    assert isinstance(choices, list)  # noqa: S101 - narrows a type
    return {**notes, "anyOf": [*choices, _OR_EXPRESSION]}


def _takes_any_text(schema: Schema) -> bool:
    if not schema or schema == {"type": "string"}:
        return True
    choices = schema.get("anyOf")
    return isinstance(choices, list) and any(_takes_any_text(choice) for choice in choices)


def _reachable(schema: Schema, definitions: dict[str, Schema]) -> dict[str, Schema]:
    """The definitions in use, by name."""
    found: set[str] = set()
    pending = list(_references(schema))
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += _references(definitions[name])
    return {name: definitions[name] for name in sorted(found)}


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref" and isinstance(inner, str):
                yield inner.removeprefix("#/$defs/")
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
