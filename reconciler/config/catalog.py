"""The catalog: the provider types there are, loaded no further than a configuration asks for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol, runtime_checkable

from reconciler.config.blocks.sections import Sections
from reconciler.config.stack import ProviderSchema
from reconciler.core.data_source import sources_of


@runtime_checkable
class Catalog(Protocol):
    """Provider types by name: asking for one need not load the others, iterating loads them all."""

    def __iter__(self) -> Iterator[ProviderSchema]: ...

    def get(self, name: str) -> ProviderSchema | None: ...


def required_providers(catalog: Collection[ProviderSchema] | Catalog, sections: Sections) -> Collection[ProviderSchema]:
    """The provider types that a configuration names, or all of them where it asks for something these don't have: what
    there is instead is for the hint to say.
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
    if sections.entries("data"):  # what can be queried is loaded only where something is
        known.update(name for schema in found.values() for name in sources_of(schema))
    asked = {name for section in ("resources", "defaults", "data") for name, _ in sections.entries(section)}
    return tuple(found.values()) if asked <= known else tuple(catalog)
