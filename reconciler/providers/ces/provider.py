"""The CES provider: report, list and details over HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from pydantic import BaseModel

from reconciler.core.address import Address
from reconciler.core.data_source import Item
from reconciler.core.desired import Desired
from reconciler.core.duration import MINUTE
from reconciler.core.observed import Marks, Observed
from reconciler.core.operation import Operation
from reconciler.providers.ces.data_source import CesEventsQuery
from reconciler.providers.ces.match import EventMatcher, Wanted
from reconciler.providers.ces.query import AHEAD, EARLIEST, PAGE, DataQuery, Event, paginate
from reconciler.providers.ces.resource_type import CUSTOM, EVENT, to_item
from reconciler.providers.ces.settings import CesSettings
from reconciler.providers.connection import limits
from reconciler.providers.http import Client, Response
from reconciler.providers.response import decode, integer

log = logging.getLogger(__name__)

_TIME_SLACK = MINUTE


class CesProvider:
    """One project of Cloud Eye; ``now`` gives the current time in epoch milliseconds."""

    def __init__(self, key: str, settings: CesSettings, client: Client, now: Callable[[], int]) -> None:
        self.key = key
        self.limits = limits(settings)
        self._settings = settings
        self._client = client
        self._now = now
        self._path = f"/V1.0/{quote(settings.project_id)}"
        self._search = DataQuery(settings, client)

    def observe(self, stack: str, desired: Sequence[Desired]) -> Iterator[Observed]:
        """The declared events on record within the lookback; no other event can be recognized as the stack's."""
        wanted = _wanted(stack, desired)
        now = self._now()
        fixed_times = [one.time for one in wanted if one.time is not None]
        since = min([now - self._settings.lookback, *(at - _TIME_SLACK for at in fixed_times)])
        until = max([now + AHEAD, *(at + _TIME_SLACK for at in fixed_times)])
        return self._find(wanted, since, until)

    def observe_stacks(self, declared: Mapping[str, Sequence[Desired]]) -> Mapping[str, Sequence[Observed]]:
        """See ``SharesQueries``: the names are listed once, and the events of each are read once.

        A stack with an event of a fixed time is left out, since its query may reach further.
        """
        now = self._now()
        wanted = {stack: _wanted(stack, desired) for stack, desired in declared.items()}
        together = {stack: some for stack, some in wanted.items() if all(one.time is None for one in some)}
        found: dict[str, list[Observed]] = {stack: [] for stack in together}
        for one in self._find(
            [one for some in together.values() for one in some], now - self._settings.lookback, now + AHEAD
        ):
            found[one.marks.stack].append(one)
        return found

    def history(
        self,
        stack: str,  # noqa: ARG002 - the protocol's
        addresses: Collection[Address],  # noqa: ARG002 - the protocol's
    ) -> Iterator[Observed]:
        """Empty: this service has only events, which do not end."""
        return iter(())

    def send(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        answer = self._client.send(
            "POST",
            f"{self._path}/events",
            body=b"[%s]" % ",".join([operation.payload for operation in operations]).encode(),
        )
        return _ids(answer, len(operations))

    def read_back(self, operations: Sequence[Operation]) -> Iterator[Observed]:
        """The events of these operations; their payloads contain what to look for, so no stack name is needed."""
        wanted = []
        times = []
        for operation in operations:
            sent = decode(operation.payload.encode())
            assert isinstance(sent, dict)  # noqa: S101 - narrows a type
            at = integer(sent.get("time")) or 0
            times.append(at)
            marks = Marks("", operation.address, operation.digest or "", "", "", operation.occurrence)
            wanted.append(Wanted(sent, marks, at))
        return self._find(wanted, min(times) - _TIME_SLACK, max(times) + _TIME_SLACK)

    def query(
        self,
        source: str,
        query: BaseModel,
        details: Collection[str],  # noqa: ARG002 - the protocol's
    ) -> Sequence[Item]:
        if not isinstance(query, CesEventsQuery):
            raise TypeError(f"{source}: expected CesEventsQuery, got {type(query).__name__}")
        return self._search.find(query, self._now())

    def close(self) -> None:
        self._client.close()

    def _find(self, wanted: Sequence[Wanted], since: int, until: int) -> Iterator[Observed]:
        names = sorted({str(one.item["event_name"]) for one in wanted})
        window = [("event_type", CUSTOM), ("from", str(max(since, EARLIEST))), ("to", str(until))]
        if len(names) > 1:
            listed = {entry.get("event_name") for entry in self._walk("events", window, "events", "event_name")}
            names = [name for name in names if name in listed]
        matcher = EventMatcher(wanted)
        for event in self._details(names, window):
            yield from matcher.match(event, self.key)

    def _details(self, names: Sequence[str], window: Sequence[tuple[str, str]]) -> Iterator[Event]:
        """The events of these names: the service returns the details of one name at a time."""

        def of(name: str) -> Iterable[Event]:
            return list(self._walk(f"event/{quote(name)}", window, "event_info", "event_id"))

        if len(names) <= 1:
            for name in names:
                yield from of(name)
            return
        pool = ThreadPoolExecutor(min(self._settings.parallelism, len(names)))
        try:
            for events in pool.map(of, names):
                yield from events
        finally:
            pool.shutdown(cancel_futures=True)

    def _walk(self, path: str, window: Sequence[tuple[str, str]], items: str, key: str) -> Iterator[Event]:
        def ask(start: int) -> Response:
            page = [*window, ("start", str(start)), ("limit", str(PAGE))]
            return self._client.send("GET", f"{self._path}/{path}", params=page, reading=True)

        return paginate(ask, items, key)


def _wanted(stack: str, desired: Sequence[Desired]) -> list[Wanted]:
    """The events that a stack declares."""
    wanted = []
    for one in desired:
        if one.address.type == EVENT.name:
            marks = Marks(stack, one.address, one.digest, "", "", one.occurrence)
            fixed = one.attributes.get("time")
            at = fixed if isinstance(fixed, int) else None
            wanted.append(Wanted(to_item(one.identity, one.attributes, marks, at or 0), marks, at))
    return wanted


def _ids(answer: Response, count: int) -> Sequence[str | None]:
    """The events' ids in the order sent; None if the response does not have one entry for each."""
    entries = answer.json()
    if isinstance(entries, Mapping) and entries.get("error_code"):
        raise answer.unreadable(f"{entries['error_code']}: {entries.get('error_msg')}")
    if not isinstance(entries, list) or len(entries) != count:
        log.warning("%s: the answer does not name the %d events that were sent", answer.request, count)
        return [None] * count
    ids = [entry.get("event_id") if isinstance(entry, dict) else None for entry in entries]
    return [event_id if isinstance(event_id, str) else None for event_id in ids]
