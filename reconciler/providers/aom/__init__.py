"""AOM: alarms and events of Huawei Cloud Application Operations Management.

Importing this loads no HTTP library: the loader, ``validate`` and ``version`` need the resource types only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from reconciler.core.data_source import DataSource
from reconciler.core.resource_type import ResourceType
from reconciler.providers.aom.data_sources import ALARMS, EVENTS, STATISTICS
from reconciler.providers.aom.resource_types import ALARM, EVENT
from reconciler.providers.aom.settings import AomSettings
from reconciler.providers.protocol import Environment, Provider

_TYPES: tuple[ResourceType, ...] = (ALARM, EVENT)
_SOURCES: tuple[DataSource, ...] = (ALARMS, EVENTS, STATISTICS)


@dataclass(frozen=True, slots=True)
class Aom:
    """The provider type ``aom``."""

    name: str = "aom"
    summary: str = "Huawei Cloud AOM: alarms and events"
    settings: type[BaseModel] = AomSettings
    resource_types: Mapping[str, ResourceType] = field(default_factory=lambda: {kind.name: kind for kind in _TYPES})

    data_sources: Mapping[str, DataSource] = field(default_factory=lambda: {each.name: each for each in _SOURCES})

    def open(self, key: str, settings: BaseModel, environment: Environment) -> Provider:
        from reconciler.providers.aom.provider import AomProvider
        from reconciler.providers.connection import connect

        if not isinstance(settings, AomSettings):
            raise TypeError(f"{key}: expected AomSettings, got {type(settings).__name__}")
        return AomProvider(key, settings, connect(self.name, key, settings, environment), environment.now)


PROVIDER = Aom()
