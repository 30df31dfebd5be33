"""The registry of provider types, built in and installed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib import import_module

from reconciler.core.resource_type import ResourceType
from reconciler.providers.protocol import ProviderType

GROUP = "reconciler.providers"
"""The entry-point group for the provider types of other packages."""

BUILT_IN = ("alertmanager", "aom", "bcm", "ces", "receiver")
"""The packages beside this module, each with its ``PROVIDER``. Installed packages cannot use their names."""

_Load = Callable[[], ProviderType]


class Registry:
    """Provider types by name; each is loaded on demand, iterating loads all.

    Installed types are looked up only if a requested one is not built in: reading the entry points of all packages
    takes longer than loading a small stack.
    """

    def __init__(self, types: Iterable[ProviderType] | None = None) -> None:
        self._types: dict[str, ProviderType] = {}
        self._built_in: Mapping[str, _Load] = {name: partial(_built_in, name) for name in BUILT_IN}
        self._installed: Mapping[str, _Load] | None = None
        if types is not None:
            self._built_in = self._installed = {}
            self._types = {provider.name: provider for provider in types}

    def __iter__(self) -> Iterator[ProviderType]:
        for name in sorted({*self._built_in, *self._others()}):
            self.get(name)
        return iter(self._types.values())

    def get(self, name: str) -> ProviderType | None:
        if name not in self._types:
            load = self._built_in.get(name) or self._others().get(name)
            if load is None:
                return None
            self._types[name] = load()
        return self._types[name]

    def resource_types(self) -> Mapping[str, ResourceType]:
        """Every resource type by name."""
        return {name: kind for provider in self for name, kind in provider.resource_types.items()}

    def owner(self, resource_type: str) -> ProviderType | None:
        """The provider type of a resource type."""
        return next((provider for provider in self if resource_type in provider.resource_types), None)

    def _others(self) -> Mapping[str, _Load]:
        if self._installed is None:
            from importlib.metadata import entry_points

            self._installed = {point.name: point.load for point in entry_points(group=GROUP)}
        return self._installed


def _built_in(name: str) -> ProviderType:
    provider: ProviderType = import_module(f"reconciler.providers.{name}").PROVIDER
    return provider
