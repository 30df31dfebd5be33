"""Notices: who was notified of the alarms of a drill, asked of the services that can say."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from reconciler.config.stack import ProviderConfig
from reconciler.core.data_source import NOTIFICATIONS, DataSource, Item, sources_of
from reconciler.core.observed import KEY, STACK
from reconciler.providers.protocol import Provider, Queryable
from reconciler.providers.registry import Registry


class Notification(NamedTuple):
    """The first message about an alarm that was delivered: when (epoch ms; None if not told), and by what."""

    at: int | None
    by: str


class NotificationQuery(NamedTuple):
    """A query that finds the alarms of a drill with what was sent about each."""

    provider: Queryable
    source: DataSource
    query: BaseModel

    def ask(self) -> Mapping[str, Notification]:
        """The notice of each alarm that has one, by the idempotency key in its marks. Raises ServiceError."""
        items = self.provider.query(self.source.name, self.query, (NOTIFICATIONS,))
        found = ((_key(item), _first(item)) for item in items)
        return {key: notice for key, notice in found if key is not None and notice is not None}


def notification_queries(
    owner: str, providers: Mapping[str, Provider], configs: Mapping[str, ProviderConfig], registry: Registry
) -> list[NotificationQuery]:
    """One for each provider that keeps alarms by their metadata and tells who was notified of them."""
    found = []
    for key, provider in providers.items():
        kind = registry.get(configs[key].type)
        if not isinstance(provider, Queryable) or kind is None:
            continue
        for source in sources_of(kind).values():
            if NOTIFICATIONS in source.fields and "annotations" in source.fields:
                try:
                    query = source.model.model_validate({"metadata": {STACK: owner}})
                except ValidationError:  # a source of a third party that has no such filter
                    continue
                found.append(NotificationQuery(provider, source, query))
    return found


def _key(item: Item) -> str | None:
    annotations = item.get("annotations")
    key = annotations.get(KEY) if isinstance(annotations, Mapping) else None
    return key if isinstance(key, str) else None


def _first(item: Item) -> Notification | None:
    told = item.get(NOTIFICATIONS)
    delivered = (
        [one for one in told if isinstance(one, Mapping) and one.get("delivered")] if isinstance(told, list) else []
    )
    notices = [Notification(_instant(one.get("sent_at")), " ".join(_words(one))) for one in delivered]
    return min(notices, key=lambda notice: notice.at or 0, default=None)


def _instant(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _words(sent: Mapping[str, object]) -> Iterable[str]:
    return [str(sent[name]) for name in ("rule", "topic") if sent.get(name)] or ["a notification"]
