"""CES: custom events of Huawei Cloud Eye.

Importing this loads no HTTP library: the loader, ``validate`` and ``version`` need the resource types only.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from reconciler.core.data_source import DataSource
from reconciler.core.resource_type import ResourceType
from reconciler.providers.ces.data_source import EVENTS
from reconciler.providers.ces.resource_type import EVENT
from reconciler.providers.ces.settings import CesSettings
from reconciler.providers.protocol import Provider, ProviderContext


class Ces:
    """The provider type ``ces``."""

    name = "ces"
    summary = "Huawei Cloud Eye (CES): custom events"
    settings: type[BaseModel] = CesSettings
    resource_types: Mapping[str, ResourceType] = {EVENT.name: EVENT}
    data_sources: Mapping[str, DataSource] = {EVENTS.name: EVENTS}

    def open(self, key: str, settings: BaseModel, context: ProviderContext) -> Provider:
        from reconciler.providers.ces.provider import CesProvider
        from reconciler.providers.connection import connect

        if not isinstance(settings, CesSettings):
            raise TypeError(f"{key}: expected CesSettings, got {type(settings).__name__}")
        return CesProvider(key, settings, connect(self.name, key, settings, context), context.now)


PROVIDER = Ces()
