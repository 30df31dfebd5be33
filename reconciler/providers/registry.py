"""The registry: which provider types there are, built in and installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import entry_points

from reconciler.core.data_source import DataSource, sources_of
from reconciler.core.resource_type import ResourceType
from reconciler.providers.protocol import ProviderType

GROUP = "reconciler.providers"


class Registry:
    """Provider types by name; entry points are loaded when first asked for."""

    def __init__(self, types: Iterable[ProviderType] | None = None) -> None:
        self._types: dict[str, ProviderType] | None = None
        if types is not None:
            self._types = {provider.name: provider for provider in types}

    def __iter__(self) -> Iterator[ProviderType]:
        return iter(self._loaded().values())

    def get(self, name: str) -> ProviderType | None:
        return self._loaded().get(name)

    def resource_types(self) -> Mapping[str, ResourceType]:
        """Every resource type by name."""
        return {name: kind for provider in self for name, kind in provider.resource_types.items()}

    def owner(self, resource_type: str) -> ProviderType | None:
        """The provider type that manages a resource type."""
        return next((provider for provider in self if resource_type in provider.resource_types), None)

    def data_sources(self) -> Mapping[str, DataSource]:
        """Every data source by name."""
        return {name: source for provider in self for name, source in sources_of(provider).items()}

    def _loaded(self) -> dict[str, ProviderType]:
        if self._types is None:
            found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
            self._types = {point.name: point.load() for point in found}
        return self._types
