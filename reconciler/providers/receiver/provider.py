"""The receiver provider: queries a receiver over HTTP for what arrived; it writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import requests
import requests.auth
from pydantic import BaseModel

from reconciler.core.address import Address
from reconciler.core.data_source import Item
from reconciler.core.delivery import Arrival, DeliveryLog, DeliveryQuery, Uptime
from reconciler.core.desired import Desired
from reconciler.core.duration import SECOND, format_instant
from reconciler.core.observed import Observed
from reconciler.core.operation import Operation, ServiceErrorDetail
from reconciler.providers.http import Client, Response
from reconciler.providers.protocol import ErrorKind, Limits, ServiceError
from reconciler.providers.receiver.query import DeliveriesQuery, items
from reconciler.providers.receiver.settings import ReceiverSettings

PAGE_SIZE = 1_000
MAX_VALUES = 100
"""How many keys or fingerprints the API accepts in one query."""
_DELIVERIES = "/deliveries"
_FAR = 2**53
"""An instant at which nothing arrives."""
_SLACK = SECOND
"""How much further back (ms) than requested a query reaches, since two clocks always differ slightly."""

Parameters = list[tuple[str, str]]


class BearerAuth(requests.auth.AuthBase):
    """A bearer token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class ReceiverProvider:
    """One receiver; ``now`` gives the current time in epoch milliseconds."""

    def __init__(self, key: str, settings: ReceiverSettings, client: Client, now: Callable[[], int]) -> None:
        self.key = key
        self.limits = Limits(parallelism=settings.parallelism, rate_limit=settings.rate_limit, visible_within=0)
        self._settings = settings
        self._client = client
        self._now = now

    def query(self, source: str, query: BaseModel, details: Collection[str]) -> Sequence[Item]:  # noqa: ARG002  # no field costs a request
        if not isinstance(query, DeliveriesQuery):
            raise TypeError(f"{source}: expected DeliveriesQuery, got {type(query).__name__}")
        now = self._now()
        since = query.since(now, self._settings.lookback)
        until = now if query.end is None else query.end
        log = self._read(query.parameters(), since)
        if query.complete:
            log.check_complete(since, min(until, now))
        found = [item for delivery in log.deliveries for item in log.items(delivery)]
        return [item for item in found if query.end is None or _integer(item, "received_at") < query.end]

    def deliveries(self, query: DeliveryQuery) -> DeliveryLog:
        """The deliveries of these alarms. Raises ServiceError."""
        offset = self._read([], _FAR).offset
        since = max(0, query.since + offset - _SLACK)
        receiver = [] if query.receiver is None else [("receiver", query.receiver)]
        wanted = {"key": query.keys, "fingerprint": query.fingerprints}
        chunks = [
            [(name, value) for value in values[start : start + MAX_VALUES]]
            for name, values in wanted.items()
            for start in range(0, len(values), MAX_VALUES)
        ]
        logs = [self._read(chunk + receiver, since) for chunk in chunks]
        if not logs:
            return DeliveryLog(self._now())
        first = logs[0]
        arrivals = {
            str(item["id"]): _arrival(item, log.offset)
            for log in logs
            for delivery in log.deliveries
            for item in log.items(delivery)
        }
        listening = tuple(Uptime(span.since - offset, span.until - offset) for span in first.listening)
        return DeliveryLog(first.now - offset, tuple(arrivals.values()), listening, first.truncated)

    def observe(self, stack: str, desired: Sequence[Desired]) -> Iterator[Observed]:  # noqa: ARG002  # read only
        return iter(())

    def history(self, stack: str, addresses: Collection[Address]) -> Iterator[Observed]:  # noqa: ARG002  # read only
        return iter(())

    def send(self, operations: Sequence[Operation]) -> Sequence[str | None]:  # noqa: ARG002  # read only
        raise ServiceError(ErrorKind.REJECTED, ServiceErrorDetail("a receiver of notifications is read only"))

    def read_back(self, operations: Sequence[Operation]) -> Iterator[Observed]:  # noqa: ARG002  # read only
        return iter(())

    def close(self) -> None:
        self._client.close()

    def _read(self, parameters: Parameters, since: int) -> _Answer:
        """All pages of a query; those after the first are joined to it."""
        first = self._page(parameters, since, 0)
        deliveries = list(first.deliveries)
        page = first
        for number in count(1):
            if page.following is None:
                break
            page.response.check_page_count(number)
            page = self._page(parameters, since, page.following)
            deliveries += page.deliveries
        return replace(first, truncated=page.truncated, following=None, deliveries=tuple(deliveries))

    def _page(self, parameters: Parameters, since: int, after: int) -> _Answer:
        sent_at = self._now()
        response = self._client.send(
            "GET",
            _DELIVERIES,
            params=[*parameters, ("since", str(since)), ("after", str(after)), ("limit", str(PAGE_SIZE))],
            reading=True,
        )
        middle = (sent_at + self._now()) // 2
        return _read_answer(response, middle, after)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A parsed response; times are the receiver's, ``offset`` (ms) is how far its clock is ahead of ours."""

    response: Response
    now: int
    offset: int
    listening: tuple[Uptime, ...]
    truncated: int
    following: int | None
    """The id after which the next page begins."""
    deliveries: tuple[Item, ...]

    def items(self, delivery: Item) -> list[Item]:
        try:
            return items(delivery)
        except ValueError as error:
            raise self.response.unreadable(str(error)) from None

    def check_complete(self, since: int, until: int) -> None:
        """Raise ServiceError if deliveries between two instants of our clock may be missing."""
        log = DeliveryLog(self.now, (), self.listening)
        gap = log.gap(since + self.offset, until + self.offset - _SLACK)
        if gap is not None:
            raise self.response.unreadable(
                f"the receiver was not running between {format_instant(gap.since)} and {format_instant(gap.until)}:"
                " choose another time range, or set complete: false",
                ErrorKind.REJECTED,
            )
        if self.truncated:
            raise self.response.unreadable(
                f"senders truncated the alerts of {self.truncated} deliveries: set max_alerts to 0, or complete: false",
                ErrorKind.REJECTED,
            )


def _read_answer(response: Response, middle: int, after: int) -> _Answer:
    """Parse a response; ``middle`` (epoch ms) is halfway between the request and the response."""
    value = response.json()
    if not isinstance(value, dict):
        raise response.unreadable("the answer is not a receiver's")
    deliveries, spans, following = value.get("deliveries"), value.get("listening"), value.get("next")
    if not isinstance(deliveries, list) or not all(isinstance(each, dict) for each in deliveries):
        raise response.unreadable("the answer holds no list of deliveries")
    if not isinstance(spans, list) or not all(isinstance(each, dict) for each in spans):
        raise response.unreadable("the answer does not say when the receiver was running")
    if following is not None and not (isinstance(following, int) and following > after):
        raise response.unreadable("the answer names no next page that comes after this one")
    try:
        now, truncated = _integer(value, "now"), _integer(value, "truncated")
        listening = tuple(Uptime(_integer(each, "since"), _integer(each, "until")) for each in spans)
        for delivery in deliveries:
            _integer(delivery, "received_at")
            _integer(delivery, "count")
    except ValueError as error:
        raise response.unreadable(str(error)) from None
    return _Answer(response, now, now - middle, listening, truncated, following, tuple(deliveries))


def _arrival(item: Item, offset: int) -> Arrival:
    return Arrival(
        _text(item, "key"),
        _text(item, "fingerprint"),
        _text(item, "status"),
        _text(item, "receiver"),
        _integer(item, "received_at") - offset,
        _integer(item, "count"),
    )


def _integer(value: Mapping[str, object], name: str) -> int:
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int):
        raise ValueError(f"the answer has no whole number {name}")
    return found


def _text(value: Mapping[str, object], name: str) -> str | None:
    found = value.get(name)
    return found if isinstance(found, str) else None
