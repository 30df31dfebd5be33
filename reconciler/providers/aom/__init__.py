"""AOM: alarms and events of Huawei Cloud Application Operations Management.

Importing this loads no HTTP library: the loader, ``validate`` and ``version`` need the resource types only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel

from reconciler.core.resource_type import ResourceType
from reconciler.providers.aom.resource_types import ALARM, EVENT
from reconciler.providers.aom.settings import AomSettings
from reconciler.providers.protocol import Provider, ProviderContext

if TYPE_CHECKING:
    from reconciler.core.data_source import DataSource


class Aom:
    """The provider type ``aom``."""

    name = "aom"
    summary = "Huawei Cloud AOM: alarms and events"
    settings: type[BaseModel] = AomSettings
    resource_types: Mapping[str, ResourceType] = {kind.name: kind for kind in (ALARM, EVENT)}

    @property
    def data_sources(self) -> Mapping[str, DataSource]:
        """Loaded on the first query: their models are as large as all others of a stack."""
        from reconciler.providers.aom.data_sources import ALARMS, EVENTS, STATISTICS

        return {source.name: source for source in (ALARMS, EVENTS, STATISTICS)}

    def open(self, key: str, settings: BaseModel, context: ProviderContext) -> Provider:
        from reconciler.providers.aom.provider import AomProvider
        from reconciler.providers.connection import connect

        if not isinstance(settings, AomSettings):
            raise TypeError(f"{key}: expected AomSettings, got {type(settings).__name__}")
        return AomProvider(key, settings, connect(self.name, key, settings, context), context.now)


PROVIDER = Aom()
