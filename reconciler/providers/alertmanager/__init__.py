"""Prometheus Alertmanager: alerts and silences over API v2, at every instance of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import BaseModel

from reconciler.core.data_source import DataSource
from reconciler.core.resource_type import ResourceType
from reconciler.providers.alertmanager.data_sources import ALERTS, GROUPS, SILENCES, STATUS
from reconciler.providers.alertmanager.resource_types import ALERT
from reconciler.providers.alertmanager.settings import AlertmanagerSettings
from reconciler.providers.alertmanager.silence import SILENCE
from reconciler.providers.protocol import Provider, ProviderContext

_SOURCES: dict[str, DataSource] = {source.name: source for source in (ALERTS, SILENCES, GROUPS, STATUS)}


class Alertmanager(NamedTuple):
    """The provider type ``alertmanager``; the HTTP library is loaded when a provider is opened."""

    name: str = "alertmanager"
    summary: str = "Prometheus Alertmanager, and what speaks its API: alerts and silences"
    settings: type[BaseModel] = AlertmanagerSettings
    resource_types: Mapping[str, ResourceType] = {ALERT.name: ALERT, SILENCE.name: SILENCE}  # never written to
    data_sources: Mapping[str, DataSource] = _SOURCES  # never written to

    def open(self, key: str, settings: BaseModel, context: ProviderContext) -> Provider:
        from reconciler.providers.alertmanager.cluster import open_cluster
        from reconciler.providers.alertmanager.provider import AlertmanagerProvider

        assert isinstance(settings, AlertmanagerSettings)  # noqa: S101 - narrows a type
        return AlertmanagerProvider(key, settings, open_cluster(key, settings, context), context.now)


PROVIDER = Alertmanager()
