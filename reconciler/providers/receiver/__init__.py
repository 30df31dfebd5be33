"""Receiver: notifications that arrived at a `reconciler receive`, read only.

Importing this loads no HTTP library: the loader and ``validate`` need only the models.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import BaseModel

from reconciler.core.data_source import DataSource, ItemField
from reconciler.core.resource_type import ResourceType
from reconciler.core.text import Redactor
from reconciler.providers.protocol import Provider, ProviderContext
from reconciler.providers.receiver.query import FIELDS, DeliveriesQuery
from reconciler.providers.receiver.settings import LISTEN, ReceiverSettings


class Deliveries:
    """The data source ``deliveries``."""

    name = "deliveries"
    summary = "notifications that arrived at a receiver"
    model: type[BaseModel] = DeliveriesQuery
    fields: Mapping[str, ItemField] = FIELDS


class Receiver:
    """The provider type ``receiver``."""

    name = "receiver"
    summary = "a receiver of notifications (reconciler receive), read only"
    settings: type[BaseModel] = ReceiverSettings
    resource_types: Mapping[str, ResourceType] = MappingProxyType({})
    data_sources: Mapping[str, DataSource] = {Deliveries.name: Deliveries()}

    def open(self, key: str, settings: BaseModel, context: ProviderContext) -> Provider:
        from reconciler.providers.connection import check_ca_file, make_client, resolve_base_url
        from reconciler.providers.receiver.provider import BearerAuth, ReceiverProvider

        if not isinstance(settings, ReceiverSettings):
            raise TypeError(f"{key}: expected ReceiverSettings, got {type(settings).__name__}")
        if settings.endpoint == LISTEN:
            if context.receiver is None:
                raise ValueError("endpoint: listen needs a receiver: start it with --listen HOST:PORT")
            url, token = context.receiver
        else:
            assert settings.auth is not None  # noqa: S101 - narrows a type
            url, token = settings.endpoint, settings.auth.token.get_secret_value()
        check_ca_file(key, settings.ca_file)
        secrets = Redactor((token,))
        base_url = resolve_base_url(
            key, lambda: url, own=context.receiver.url if settings.endpoint == LISTEN and context.receiver else None
        )
        client = make_client(base_url, BearerAuth(token), secrets, settings, context)
        return ReceiverProvider(key, settings, client, context.now)


PROVIDER = Receiver()
