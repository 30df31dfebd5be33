"""Sirens: a provider for reconciler in a package of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from reconciler.core.resource_type import ResourceType
from reconciler.providers.protocol import Provider, ProviderContext
from reconciler_siren.fields import SirenSettings
from reconciler_siren.resource_type import SIREN


@dataclass(frozen=True, slots=True)
class Siren:
    """The provider type ``siren``. Importing it loads no HTTP library: ``validate`` needs none."""

    name: str = "siren"
    summary: str = "Sirens in the rooms of a house"
    settings: type[BaseModel] = SirenSettings
    resource_types: Mapping[str, ResourceType] = field(default_factory=lambda: {SIREN.name: SIREN})

    def open(self, key: str, settings: BaseModel, context: ProviderContext) -> Provider:
        from reconciler_siren.provider import SirenProvider

        assert isinstance(settings, SirenSettings)  # noqa: S101 - narrows a type
        return SirenProvider(key, settings, context)


PROVIDER = Siren()
