"""Answers data sources: reads every page of a query and, on demand, who was notified."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from reconciler.core.data_source import NOTIFICATIONS, Item
from reconciler.core.digest import canonical
from reconciler.core.operation import ServiceErrorDetail
from reconciler.providers.aom.data_sources import ALARMS, STATISTICS, AomQuery
from reconciler.providers.aom.parse import notifications, statistics, to_item
from reconciler.providers.aom.query import is_other, paginate
from reconciler.providers.aom.settings import AomSettings
from reconciler.providers.http import Client, Response
from reconciler.providers.protocol import ErrorKind, ServiceError


class DataQuery:
    """Answers the data sources for one project."""

    def __init__(self, settings: AomSettings, client: Client) -> None:
        self._settings = settings
        self._client = client
        self._path = f"/v2/{quote(settings.project_id)}"

    def find(self, source: str, query: AomQuery, details: Collection[str], now: int) -> Sequence[Item]:
        """Everything a query finds; ``now`` is epoch milliseconds."""
        body = canonical(query.body(now, self._settings.lookback)).encode("utf-8", "replace")
        if source == STATISTICS.name:
            return statistics(self._post("/events/statistic", query, body, []))
        alarms = source == ALARMS.name
        size = self._settings.page_size

        def ask(marker: str) -> Response:
            return self._post("/events", query, body, [("limit", str(size)), ("marker", marker)])

        wanted = query.wanted()
        found = [to_item(event, alarm=alarms) for event in paginate(ask, page_size=size) if not is_other(event, wanted)]
        if NOTIFICATIONS not in details or not found:
            return found
        with ThreadPoolExecutor(self._settings.parallelism, thread_name_prefix="notified") as pool:
            return [
                {**alarm, NOTIFICATIONS: told} for alarm, told in zip(found, pool.map(self._told, found), strict=True)
            ]

    def _told(self, alarm: Item) -> Sequence[Mapping[str, object]]:
        serial = alarm.get("event_sn")
        if not isinstance(serial, str) or not serial:
            text = f"alarm {alarm.get('id')} has no event_sn: the service cannot be queried who was notified of it"
            raise ServiceError(ErrorKind.REJECTED, ServiceErrorDetail(text))
        answer = self._client.send(
            "GET", f"{self._path}/alarm-notified-histories", params=[("event_sn", serial)], reading=True
        )
        return notifications(answer, serial)

    def _post(self, path: str, query: AomQuery, body: bytes, params: list[tuple[str, str]]) -> Response:
        project = query.enterprise_project_id or self._settings.enterprise_project_id
        headers = {} if project is None else {"Enterprise-Project-Id": project}
        state = [] if query.state is None else [("type", query.state)]
        return self._client.send(
            "POST", self._path + path, params=[*state, *params], headers=headers, body=body, reading=True
        )
