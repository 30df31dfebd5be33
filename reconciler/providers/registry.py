"""The registry: which provider types there are, built in and installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

from reconciler.core.data_source import DataSource, sources_of
from reconciler.core.resource_type import ResourceType
from reconciler.providers.protocol import ProviderType

GROUP = "reconciler.providers"


class Registry:
    """Provider types by name; each is loaded when it is first asked for, all of them by whoever iterates."""

    def __init__(self, types: Iterable[ProviderType] | None = None) -> None:
        self._points: Mapping[str, EntryPoint] | None = None
        self._types: dict[str, ProviderType] = {}
        if types is not None:
            self._points = {}
            self._types = {provider.name: provider for provider in types}

    def __iter__(self) -> Iterator[ProviderType]:
        for name in sorted(self._installed()):
            self.get(name)
        return iter(self._types.values())

    def get(self, name: str) -> ProviderType | None:
        if name not in self._types and name in self._installed():
            self._types[name] = self._installed()[name].load()
        return self._types.get(name)

    def resource_types(self) -> Mapping[str, ResourceType]:
        """Every resource type by name."""
        return {name: kind for provider in self for name, kind in provider.resource_types.items()}

    def owner(self, resource_type: str) -> ProviderType | None:
        """The provider type that manages a resource type."""
        return next((provider for provider in self if resource_type in provider.resource_types), None)

    def data_sources(self) -> Mapping[str, DataSource]:
        """Every data source by name."""
        return {name: source for provider in self for name, source in sources_of(provider).items()}

    def _installed(self) -> Mapping[str, EntryPoint]:
        if self._points is None:
            self._points = {point.name: point for point in entry_points(group=GROUP)}
        return self._points
