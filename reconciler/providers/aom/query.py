"""Queries: the body of the query page (tables 4 and 6), and every page of its result, or an error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from reconciler.core.digest import canonical
from reconciler.core.duration import HOUR, MINUTE
from reconciler.providers.aom.settings import MAX_STEPS
from reconciler.providers.http import Response
from reconciler.providers.protocol import ErrorKind
from reconciler.providers.response import integer

log = logging.getLogger(__name__)

Event = Mapping[str, object]

FIRST_MARKER = "0"
MAX_MARKER = 4096
"""The maximum length of a page marker."""
MAX_EMPTY_PAGES = 100
"""How many pages in a row may contain nothing new before the query fails."""


def window(now: int, lookback: int, starts: Iterable[int] = ()) -> tuple[str, int]:
    """``time_range`` and ``step`` (ms): the last ``lookback`` ms, extended to the starts in ``starts``.

    The page requires minutes > 0, minutes >= (end - start) / 60000 - 1 and minutes x 60 / (step / 1000) <= 1440. Unless
    a start lies in the future, the range is by the service's own clock.
    """
    known = [start for start in starts if start > 0]
    since = max(0, min([now - lookback, *(start - HOUR for start in known)]))
    until = max([now, *(start + HOUR for start in known if start > now)])
    minutes = max(1, -(-(until - since) // MINUTE))
    # Steps of whole minutes: 30 days need half an hour.
    step = -(-minutes // MAX_STEPS) * MINUTE
    return f"-1.-1.{minutes}" if until == now else f"{since}.{until}.{minutes}", step


def body(time_range: str, step: int, relations: Mapping[str, Collection[str]]) -> bytes:
    """The JSON of a query for objects whose metadata has, for every key, one of its values; newest first."""
    return canonical(
        {
            "time_range": time_range,
            "step": step,
            "search": "",
            "sort": {"order_by": ["starts_at"], "order": "desc"},
            "metadata_relation": [
                {"key": key, "value": sorted(values), "relation": "AND"} for key, values in relations.items()
            ],
        }
    ).encode("utf-8", "replace")


def paginate(ask: Callable[[str], Response], *, page_size: int | None = None) -> Iterator[Event]:
    """Every event of every page, each id once; ``ask`` requests the page at a marker.

    ``page_size`` is the size of a page if nothing may be missing: an incomplete page is then an error, not a warning.
    Raises ServiceError if a response is not a page, if markers repeat, or if pages contain nothing new.
    """
    marker = FIRST_MARKER
    markers = {marker}
    ids: set[object] = set()
    empty_pages = 0
    while True:
        answer = ask(marker)
        events, following = _page(answer)
        if page_size is not None:
            _require_complete(answer, len(events), following, page_size)
        new = False
        for event in events:
            key = event.get("id")
            if isinstance(key, str | int):
                if key in ids:
                    continue
                ids.add(key)
            new = True
            yield event
        if not following:
            return
        if len(following) > MAX_MARKER:
            raise answer.unreadable(
                f"the next page's marker has {len(following)} characters; at most {MAX_MARKER} are followed",
                ErrorKind.REJECTED,
            )
        if following in markers:
            raise answer.unreadable(f"the pages repeat: marker {following!r} came twice", ErrorKind.REJECTED)
        empty_pages = 0 if new else empty_pages + 1
        if empty_pages >= MAX_EMPTY_PAGES:
            raise answer.unreadable(f"{empty_pages} pages in a row brought nothing new", ErrorKind.REJECTED)
        answer.check_page_count(len(markers))
        markers.add(following)
        marker = following


def _page(answer: Response) -> tuple[list[Event], str]:
    """The events of a page, and the marker of the next one ("" at the end)."""
    page = answer.json()
    if not isinstance(page, dict):
        raise answer.unreadable("the answer is not a page of events")
    events = page.get("events")
    if events is None and "error_code" in page:
        raise answer.unreadable(f"{page.get('error_code')}: {page.get('error_msg') or page.get('error_message')}")
    if not isinstance(events, list | None):
        raise answer.unreadable("the answer's events are not a list")
    maps: list[Event] = [event for event in events or () if isinstance(event, dict)]
    if events and len(maps) < len(events):
        log.warning("%s: %d of its events are not maps; left out", answer.request, len(events) - len(maps))
    info = page.get("page_info")
    following = info.get("next_marker") if isinstance(info, dict) else None
    if isinstance(following, bool) or not isinstance(following, str | int | None):
        raise answer.unreadable("the next page's marker is neither text nor a number", ErrorKind.REJECTED)
    return maps, "" if following is None else str(following)


def _require_complete(answer: Response, read: int, following: str, size: int) -> None:
    """Raise ServiceError if results may be missing: a part is absent or malformed, or a count differs."""
    page = answer.json()
    assert isinstance(page, dict)  # noqa: S101 - narrows a type
    events, info = page.get("events"), page.get("page_info")
    told = integer(info.get("current_count")) if isinstance(info, dict) else None
    if "events" not in page or (events is None and told != 0):
        raise answer.unreadable("the answer holds no list of events")
    if events is not None and read < len(events):
        raise answer.unreadable(f"{len(events) - read} of the answer's events cannot be read")
    if told is not None and told > read:
        raise answer.unreadable(f"the answer counts {told} events and holds {read}")
    if not following and read >= size and not (isinstance(info, dict) and "next_marker" in info):
        raise answer.unreadable("the answer does not say whether there are more events")


def is_other(event: Mapping[str, object], wanted: Mapping[str, Sequence[str]]) -> bool:
    """Whether an event certainly does not match the query: a service may ignore a filter, and return malformed data."""
    metadata = event.get("metadata")
    if not isinstance(metadata, dict):
        return False
    return any(isinstance(metadata.get(key), str) and metadata[key] not in values for key, values in wanted.items())
