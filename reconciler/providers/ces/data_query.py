"""Searches: how the data source of CES is asked. A result is whole, or an error: never shorter than the truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from reconciler.core.data_source import Item
from reconciler.core.duration import MINUTE
from reconciler.providers.ces.data_source import CesEventsQuery
from reconciler.providers.ces.item import to_item
from reconciler.providers.ces.query import EARLIEST, PAGE, Event, paginate
from reconciler.providers.ces.settings import CesSettings
from reconciler.providers.http import Client, Response

AHEAD = 10 * MINUTE
"""How far (ms) ahead of our clock an event on record may lie."""

Parameters = Sequence[tuple[str, str]]


class DataQuery:
    """Answers the data source for one project."""

    def __init__(self, settings: CesSettings, client: Client) -> None:
        self._settings = settings
        self._client = client
        self._path = f"/V1.0/{quote(settings.project_id)}"

    def find(self, query: CesEventsQuery, now: int) -> Sequence[Item]:
        """Every event a query finds; ``now`` is epoch milliseconds. The names come first, then each one's details."""
        since = max(query.since(now, self._settings.lookback), EARLIEST)
        until = query.end if query.end is not None else now + AHEAD
        window = [("event_type", query.event_type), ("from", str(since)), ("to", str(until))]
        named = [("event_name", query.event_name)] if query.event_name is not None else []
        listed = {_name(entry) for entry in self._walk("events", [*window, *named], "events", "event_name")}
        names = sorted(listed if query.event_name is None else listed & {query.event_name})
        if not names:
            return []

        def details(name: str) -> Iterable[Event]:
            path = f"event/{quote(name, safe='')}"
            return list(self._walk(path, [*window, *query.filters()], "event_info", "event_id"))

        with ThreadPoolExecutor(min(self._settings.parallelism, len(names)), thread_name_prefix="details") as pool:
            return [to_item(event) for events in pool.map(details, names) for event in events]

    def _walk(self, path: str, parameters: Parameters, items: str, key: str) -> Iterable[Event]:
        def ask(start: int) -> Response:
            page = [*parameters, ("start", str(start)), ("limit", str(PAGE))]
            return self._client.send("GET", f"{self._path}/{path}", params=page, reading=True)

        return paginate(ask, items, key, whole=True)


def _name(entry: Event) -> str:
    return str(entry.get("event_name") or "")
