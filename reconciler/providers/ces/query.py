"""Queries: reads all pages of the list of event names and of the details of one, or fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from urllib.parse import quote

from reconciler.core.data_source import Item
from reconciler.core.duration import MINUTE
from reconciler.providers.ces.data_source import CesEventsQuery, to_item
from reconciler.providers.ces.settings import CesSettings
from reconciler.providers.http import Client, Response
from reconciler.providers.protocol import ErrorKind
from reconciler.providers.response import integer

log = logging.getLogger(__name__)

Event = Mapping[str, object]

PAGE = 100
EARLIEST = 1_111_111_111_111
"""The smallest ``from`` (epoch ms) that a listing accepts."""


def paginate(ask: Callable[[int], Response], items: str, key: str, *, complete: bool = False) -> Iterator[Event]:
    """Every entry of every page, each ``key`` once; ``ask`` requests the page at an offset.

    New events come first and push the others on, so an entry may appear twice but none is missed. Raises ServiceError
    if a response is not a page, if pages repeat and, if ``complete``, if a page may be incomplete.
    """
    seen: set[object] = set()
    start = 0
    for number in count(1):
        answer = ask(start)
        entries, size, total = _page(answer, items)
        if complete:
            _require_complete(answer, items, len(entries), size, start, total)
        new = False
        for entry in entries:
            name = entry.get(key)
            if isinstance(name, str | int) and name != "":
                if name in seen:
                    continue
                seen.add(name)
            new = True
            yield entry
        start += size
        if not size or (total is not None and start >= total):
            return
        if not new:
            raise answer.unreadable("the pages repeat: one brought nothing new", ErrorKind.REJECTED)
        answer.check_page_count(number)


def _page(answer: Response, items: str) -> tuple[list[Event], int, int | None]:
    """The valid entries of a page, its number of entries, and the total number if given."""
    page = answer.json()
    if not isinstance(page, dict):
        raise answer.unreadable("the answer is not a page of events")
    entries = page.get(items)
    if entries is None and ("error_code" in page or "code" in page):
        raise answer.unreadable(f"{page.get('error_code') or page.get('code')}: {page.get('error_msg')}")
    if not isinstance(entries, list | None):
        raise answer.unreadable("the answer's events are not a list")
    maps: list[Event] = [entry for entry in entries or () if isinstance(entry, dict)]
    if entries and len(maps) < len(entries):
        log.warning("%s: %d of its events are not maps; left out", answer.request, len(entries) - len(maps))
    data = page.get("meta_data")
    return maps, len(entries or ()), integer(data.get("total")) if isinstance(data, dict) else None


def _require_complete(answer: Response, items: str, read: int, count: int, start: int, total: int | None) -> None:
    """Raise ServiceError if results may be missing: a part is absent or malformed, or a count differs."""
    page = answer.json()
    if not isinstance(page, dict) or (page.get(items) is None and total != 0):
        raise answer.unreadable("the answer holds no list of events")
    if read < count:
        raise answer.unreadable(f"{count - read} of the answer's events cannot be read")
    if not count and total is not None and start < total:
        raise answer.unreadable(f"the service counts {total} events and shows {start}")


AHEAD = 10 * MINUTE
"""How far (ms) ahead of our clock an event's time may be."""

Parameters = Sequence[tuple[str, str]]


class DataQuery:
    """Answers the data source for one project."""

    def __init__(self, settings: CesSettings, client: Client) -> None:
        self._settings = settings
        self._client = client
        self._path = f"/V1.0/{quote(settings.project_id)}"

    def find(self, query: CesEventsQuery, now: int) -> Sequence[Item]:
        """All events a query finds; ``now`` is epoch milliseconds. Lists the names first, then each one's details."""
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

        return paginate(ask, items, key, complete=True)


def _name(entry: Event) -> str:
    return str(entry.get("event_name") or "")
