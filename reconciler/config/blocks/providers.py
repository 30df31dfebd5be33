"""Providers: the blocks under ``providers``, validated by the models of their types."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from pydantic import ValidationError

from reconciler.config.blocks.sections import Sections
from reconciler.config.blocks.validation import Location, report
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.expressions.compiled import (
    Compiled,
    CompiledText,
    UnresolvedError,
    compile_value,
    evaluate_compiled,
)
from reconciler.config.expressions.scope import PROVIDERS, Context, Scope
from reconciler.config.stack import ProviderConfig, ProviderSchema
from reconciler.config.yaml.source_map import Map, Node, Value, kind
from reconciler.core.diagnostic import did_you_mean

AUTH = "auth"
"""The key of a block under which everything is secret."""

_OPEN_KEYS = frozenset(["user", "domain", "project", "region", "endpoint"])
"""Keys under auth whose values identify the caller but prove nothing."""
_SHORTEST_SECRET = 4


class Providers:
    """The validated blocks.

    ``types`` maps every key to its provider type, even if the block has problems. ``public`` has each block without its
    secrets. ``secrets`` are texts that must not be shown.
    """

    def __init__(
        self,
        configs: Mapping[str, ProviderConfig] = MappingProxyType({}),
        types: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.configs = dict(configs)
        self.types = dict(types)
        self.public: dict[str, Value] = {}
        self.secrets: set[str] = set()


def configure_providers(
    sections: Sections, catalog: Collection[ProviderSchema], scope: Scope, diagnostics: DiagnosticCollector
) -> Providers:
    """Evaluate and validate every block under ``providers``."""
    schemas = {schema.name: schema for schema in catalog}
    result = Providers()
    for key, node in sections.entries("providers"):
        if not isinstance(node.value, Map):
            offset = node.offset if node.value is not None else node.key_offset
            diagnostics.add(offset, f"provider {key} must be a mapping, not {kind(node.value)}")
            result.types[key] = key.split(".", 1)[0]
            continue
        schema = _schema(key, node, schemas, result, diagnostics)
        try:
            made = compile_value(node, PROVIDERS, scope, diagnostics)
            value = evaluate_compiled(made, Context({**scope.values, "env": dict(scope.env)}), diagnostics)
        except UnresolvedError:
            continue
        assert isinstance(value, dict)  # noqa: S101 - narrows a type
        result.secrets |= set(_secrets(value))
        if _has_white_space(node, value, key, diagnostics):
            continue
        if schema is None:
            continue
        settings = {name: item for name, item in value.items() if name != "type"}
        public = _public(made, value, scope)
        result.public[key] = public
        try:
            model = schema.settings.model_validate(settings)
        except ValidationError as error:
            report(
                error,
                node,
                ("type", *schema.settings.model_fields),
                diagnostics,
                model=schema.settings,
                value=settings,
                what=f"provider {key}",
                hidden=partial(_hidden, public),
            )
            continue
        result.configs[key] = ProviderConfig(key, schema.name, model, node.key_position)
    return result


def _schema(
    key: str, node: Node, schemas: Mapping[str, ProviderSchema], result: Providers, diagnostics: DiagnosticCollector
) -> ProviderSchema | None:
    written = node.child("type")
    name = key.split(".", 1)[0] if written is None else written.value
    offset = node.key_offset if written is None else written.offset
    if not isinstance(name, str):
        diagnostics.add(offset, f"type must be text, not {kind(name)}")
        return None
    result.types[key] = name
    if name not in schemas:
        hint = did_you_mean(name, schemas) or f"the provider types are {', '.join(sorted(schemas))}"
        diagnostics.add(offset, f'there is no provider type "{name}"', hint)
        return None
    return schemas[name]


def _has_white_space(node: Node, value: Value, path: str, diagnostics: DiagnosticCollector) -> bool:
    """Report leading or trailing white space in a block's texts, which no service accepts; values are not quoted."""
    if isinstance(value, str) and value != value.strip():
        side = "start" if value != value.lstrip() else "end"
        hint = "remove it; a value read from a file or a command often ends with a line break"
        diagnostics.add(node.offset, f"{path} has white space at its {side}", hint)
        return True
    inner: Iterator[tuple[str | int, Value]] = iter(())
    if isinstance(value, dict):
        inner = iter(value.items())
    elif isinstance(value, list):
        inner = iter(enumerate(value))
    found = False
    for key, item in inner:
        found |= _has_white_space(node.child(key) or node, item, f"{path}.{key}", diagnostics)
    return found


def _secrets(value: dict[str, Value]) -> Iterator[str]:
    """The texts under auth that are credentials."""
    pending: list[tuple[str, Value]] = [(AUTH, value.get(AUTH))]
    while pending:
        key, item = pending.pop()
        if isinstance(item, dict):
            pending += item.items()
        elif isinstance(item, list):
            pending += [(key, inner) for inner in item]
        elif isinstance(item, str) and len(item) >= _SHORTEST_SECRET and key not in _OPEN_KEYS:
            yield item


def _public(made: Compiled, value: Value, scope: Scope) -> Value:
    """A block without its secrets: without auth, and without values that a sensitive value was used in."""
    if isinstance(made, CompiledText):
        return None if scope.secret(made.template.references) else value
    if isinstance(value, dict) and isinstance(made, dict):
        return {key: None if key == AUTH else _public(made[key], item, scope) for key, item in value.items()}
    if isinstance(value, list) and isinstance(made, list):
        return [_public(inner, item, scope) for inner, item in zip(made, value, strict=True)]
    return value


def _hidden(public: Value, location: Location) -> bool:
    """Whether the value at a location is secret."""
    for part in location:
        if part == AUTH:
            return True
        if isinstance(public, dict) and isinstance(part, str):
            public = public.get(part)
        elif isinstance(public, list) and isinstance(part, int):
            public = public[part]
        else:
            return True
    return public is None


@runtime_checkable
class Catalog(Protocol):
    """Provider types by name: ``get`` need not load the other types, iterating loads all."""

    def __iter__(self) -> Iterator[ProviderSchema]: ...

    def get(self, name: str) -> ProviderSchema | None: ...


def required_providers(catalog: Collection[ProviderSchema] | Catalog, sections: Sections) -> Collection[ProviderSchema]:
    """The provider types that a configuration names, or all installed types if it names an unknown one, for the
    hint.
    """
    if not isinstance(catalog, Catalog):
        return catalog
    found: dict[str, ProviderSchema] = {}
    for key, node in sections.entries("providers"):
        written = node.child("type")
        name = key.split(".", 1)[0] if written is None else written.value
        schema = catalog.get(name) if isinstance(name, str) else None
        if schema is None:
            return tuple(catalog)
        found[schema.name] = schema
    known = {name for schema in found.values() for name in schema.resource_types}
    if sections.entries("data"):
        from reconciler.core.data_source import sources_of

        known.update(name for schema in found.values() for name in sources_of(schema))
    asked = {name for section in ("resources", "defaults", "data") for name, _ in sections.entries(section)}
    asked |= set(_types_in_lists(sections))
    return tuple(found.values()) if asked <= known else tuple(catalog)


def _types_in_lists(sections: Sections) -> Iterator[str]:
    """The types of the addresses in lists such as ``moved``."""
    for items in sections.lists.values():
        for item in items:
            for _, node in item.entries():
                if isinstance(node.value, str) and "." in node.value:
                    yield node.value.split(".", 1)[0]
