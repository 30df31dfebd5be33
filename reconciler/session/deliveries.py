"""Deliveries: what arrived at a receiver of an open stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.core.delivery import DeliveryLog, DeliveryQuery, ProvesDelivery

if TYPE_CHECKING:
    from reconciler.session.workspace import Workspace


def deliveries(workspace: Workspace, key: str, query: DeliveryQuery) -> DeliveryLog:
    """What arrived at the receiver that a provider asks. Raises ServiceError."""
    provider = workspace.provider_pool.provider(workspace.stack.providers[key])
    if not isinstance(provider, ProvesDelivery):
        raise TypeError(f"provider {key} does not record deliveries")
    return provider.deliveries(query)
