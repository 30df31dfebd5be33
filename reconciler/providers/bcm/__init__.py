"""BCM: alarms of Baidu Cloud Monitor, read only.

Importing this loads no HTTP library and no signer: the loader and ``validate`` need the models only.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import BaseModel

from reconciler.core.data_source import DataSource, ItemField
from reconciler.core.resource_type import ResourceType
from reconciler.core.text import Redactor
from reconciler.providers.bcm.query import FIELDS, BcmAlarmsQuery
from reconciler.providers.bcm.settings import BcmSettings
from reconciler.providers.protocol import Provider, ProviderContext


class BcmAlarms:
    """The data source ``bcm_alarms``."""

    name = "bcm_alarms"
    summary = "the alarm history of Baidu Cloud Monitor"
    model: type[BaseModel] = BcmAlarmsQuery
    fields: Mapping[str, ItemField] = FIELDS


class Bcm:
    """The provider type ``bcm``."""

    name = "bcm"
    summary = "Baidu Cloud Monitor: its alarm history, read only"
    settings: type[BaseModel] = BcmSettings
    resource_types: Mapping[str, ResourceType] = MappingProxyType({})
    data_sources: Mapping[str, DataSource] = {BcmAlarms.name: BcmAlarms()}

    def open(self, key: str, settings: BaseModel, context: ProviderContext) -> Provider:
        from reconciler.providers.bcm.provider import BceAuth, BcmProvider
        from reconciler.providers.connection import check_ca_file, make_client, resolve_base_url, warn_of_short_secrets

        if not isinstance(settings, BcmSettings):
            raise TypeError(f"{key}: expected BcmSettings, got {type(settings).__name__}")
        base_url = resolve_base_url(
            key, lambda: settings.base_url(context.embedded_endpoint), own=context.embedded_endpoint
        )
        check_ca_file(key, settings.ca_file)
        warn_of_short_secrets(key, base_url, settings.auth)
        secrets = Redactor(settings.auth.secrets)
        ak, sk = settings.auth.secrets
        auth = BceAuth(ak, sk, context.now)
        client = make_client(base_url, auth, secrets, settings, context)
        return BcmProvider(key, settings, client, secrets, context.now)


PROVIDER = Bcm()
