"""The AOM provider: push, clear and query over HTTP (push page and query page of the API reference)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import BaseModel

from reconciler.core.address import Address
from reconciler.core.desired import Desired
from reconciler.core.observed import ADDRESS, STACK, Observed, State, UnmanagedAlarm, unmanaged_marks
from reconciler.core.operation import Operation, Verb
from reconciler.providers.aom.parse import active, observed, owner_of, to_item, unmanaged_alarm
from reconciler.providers.aom.query import body, is_other, paginate, window
from reconciler.providers.aom.resource_types import ALARM, EVENT, MANDATORY, AomType
from reconciler.providers.aom.settings import AomSettings
from reconciler.providers.connection import limits
from reconciler.providers.http import Client, Response
from reconciler.providers.response import decode, integer

if TYPE_CHECKING:
    from reconciler.core.data_source import Item

MAX_FILTERED = 50
"""Up to this number of addresses, the query names each one; for more, it covers the whole stack."""

MAX_STACKS = 100
"""How many stacks one query names; the query page sets no limit."""

TimeRange = tuple[str, int]
Filter = Mapping[str, Collection[str]]

_NAMED = frozenset(MANDATORY) - {"event_type"}
_ACTIVE = "active_alert"
_HISTORY = "history_alert"


class AomProvider:
    """One project of AOM; ``now`` gives the current time in epoch milliseconds."""

    def __init__(self, key: str, settings: AomSettings, client: Client, now: Callable[[], int]) -> None:
        self.key = key
        self.limits = limits(settings)
        self._settings = settings
        self._client = client
        self._now = now
        self._path = f"/v2/{quote(settings.project_id)}"
        project = settings.enterprise_project_id
        # The two pages write the header's name differently.
        self._push_headers = {} if project is None else {"enterprise-project-id": project}
        self._query_headers = {} if project is None else {"Enterprise-Project-Id": project}

    def observe(self, stack: str, desired: Sequence[Desired]) -> Iterator[Observed]:
        span = self._span(_starts(desired))
        yield from self._active([stack], span)
        if _has_events(desired):
            yield from self._query([stack], EVENT, None, span)

    def observe_stacks(self, declared: Mapping[str, Sequence[Desired]]) -> Mapping[str, Sequence[Observed]]:
        """See ``SharesQueries``; a stack that sets a start before the lookback is left out."""
        span = self._span(())
        found: dict[str, list[Observed]] = {
            stack: [] for stack, desired in declared.items() if self._span(_starts(desired)) == span
        }
        with_events = [stack for stack in found if _has_events(declared[stack])]
        for stacks in _several(sorted(found)):
            for alarm in self._active(stacks, span):
                found[alarm.marks.stack].append(alarm)
        for stacks in _several(sorted(with_events)):
            for event in self._query(stacks, EVENT, None, span):
                found[event.marks.stack].append(event)
        return found

    def history(self, stack: str, addresses: Collection[Address]) -> Iterator[Observed]:
        wanted = frozenset(addresses)
        if not wanted:
            return
        found = self._query([stack], ALARM, _HISTORY, self._span(()), _address_filter(wanted))
        ended = [alarm for alarm in found if alarm.marks.address in wanted and alarm.state is not State.ACTIVE]
        yield from sorted(ended, key=lambda alarm: alarm.ended_at or 0, reverse=True)

    def send(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        clears = operations[0].verb is Verb.CLEAR
        answer = self._client.send(
            "PUT",
            f"{self._path}/push/events",
            params=[("action", "clear")] if clears else (),
            headers=self._push_headers,
            body=b'{"events":[%s]}' % ",".join([operation.payload for operation in operations]).encode(),
        )
        _check_accepted(answer)
        return [None] * len(operations)

    def read_back(self, operations: Sequence[Operation]) -> Iterator[Observed]:
        stacks: set[str] = set()
        starts: list[int] = []
        wanted: set[Address] = set()
        unmanaged_alarm: list[tuple[Operation, Mapping[str, str]]] = []
        for operation in operations:
            metadata, start = _sent(operation.payload)
            starts.append(start)
            if STACK in metadata:
                stacks.add(metadata[STACK])
                wanted.add(operation.address)
            else:
                unmanaged_alarm.append((operation, metadata))
        span = self._span(starts)
        for stack in sorted(stacks):
            if any(address.type == ALARM.name for address in wanted):
                found = self._active([stack], span, _address_filter(wanted))
                yield from (item for item in found if item.marks.address in wanted)
            if any(address.type == EVENT.name for address in wanted):
                found = self._query([stack], EVENT, None, span, _address_filter(wanted))
                yield from (item for item in found if item.marks.address in wanted)
        if unmanaged_alarm:
            yield from self._unmarked(unmanaged_alarm, span)

    def unmanaged(self, filters: Mapping[str, Collection[str]]) -> Iterator[UnmanagedAlarm]:
        for item in self._firing(filters):
            found = unmanaged_alarm(item, self.key)
            if found is not None:
                yield found

    def owners(self, ids: Collection[str]) -> Mapping[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for item in self._firing({}):
            id_, metadata = str(item["id"]), item["metadata"]
            if id_ in ids and item["active"] and isinstance(metadata, dict) and STACK in metadata:
                found[id_] = (metadata[STACK], metadata.get(ADDRESS, ""))
        return found

    def query(self, source: str, query: BaseModel, details: Collection[str]) -> Sequence[Item]:
        from reconciler.providers.aom.data_query import DataQuery
        from reconciler.providers.aom.data_sources import AomQuery

        if not isinstance(query, AomQuery):
            raise TypeError(f"{source}: expected a query of AOM, got {type(query).__name__}")
        return DataQuery(self._settings, self._client).find(source, query, details, self._now())

    def close(self) -> None:
        self._client.close()

    def _firing(self, filters: Filter) -> Iterator[Item]:
        """All active alarms, of any stack or of none, whose metadata has the values of the filters."""
        wanted = {"event_type": [ALARM.event_type], **{key: sorted(values) for key, values in filters.items()}}
        ask = self._asking(_ACTIVE, body(*self._span(()), wanted))
        for event in paginate(ask, page_size=self._settings.page_size):
            if not is_other(event, wanted):
                yield to_item(event, alarm=True)

    def _active(self, stacks: Sequence[str], span: TimeRange, narrow: Filter | None = None) -> Iterator[Observed]:
        found = self._query(stacks, ALARM, _ACTIVE, span, narrow)
        return (alarm for alarm in found if alarm.state is State.ACTIVE)

    def _query(
        self, stacks: Sequence[str], kind: AomType, state: str | None, span: TimeRange, narrow: Filter | None = None
    ) -> Iterator[Observed]:
        """Objects of the stacks, filtered on this side too, since a service may ignore a filter."""
        text = body(*span, {"event_type": [kind.event_type], STACK: stacks, **(narrow or {})})
        for event in paginate(self._asking(state, text)):
            owner = owner_of(event)
            found = observed(event, self.key, owner) if owner is not None and owner in stacks else None
            if found is not None and found.identity["event_type"] == kind.event_type:
                yield found

    def _asking(self, state: str | None, text: bytes) -> Callable[[str], Response]:
        """A function that requests the page at a marker."""
        state_params = [] if state is None else [("type", state)]

        def ask(marker: str) -> Response:
            return self._client.send(
                "POST",
                f"{self._path}/events",
                params=[*state_params, ("limit", str(self._settings.page_size)), ("marker", marker)],
                headers=self._query_headers,
                body=text,
                reading=True,
            )

        return ask

    def _unmarked(self, clears: Sequence[tuple[Operation, Mapping[str, str]]], span: TimeRange) -> Iterator[Observed]:
        """The targets of clears of unmanaged alarms, if they are still active."""
        targets = {operation.target: operation.address for operation, _ in clears}
        keys = [key for key in _NAMED if all(key in metadata for _, metadata in clears)]
        narrow = {key: {metadata[key] for _, metadata in clears} for key in keys} if len(clears) <= MAX_FILTERED else {}
        for event in paginate(self._asking(_ACTIVE, body(*span, {"event_type": [ALARM.event_type], **narrow}))):
            found = active(event, self.key)
            if found is not None and found.id in targets:
                yield found._replace(marks=unmanaged_marks(targets[found.id]))

    def _span(self, starts: Iterable[int]) -> TimeRange:
        """The lookback, extended to the starts that the configuration sets."""
        return window(self._now(), self._settings.lookback, starts)


def _starts(desired: Sequence[Desired]) -> Iterator[int]:
    """The starts that a configuration sets."""
    starts = (item.attributes.get("starts_at") for item in desired)
    return (start for start in starts if isinstance(start, int))


def _has_events(desired: Sequence[Desired]) -> bool:
    return any(item.address.type == EVENT.name for item in desired)


def _several(stacks: Sequence[str]) -> Iterator[Sequence[str]]:
    """The stacks, in groups that fit in one query."""
    return (stacks[start : start + MAX_STACKS] for start in range(0, len(stacks), MAX_STACKS))


def _address_filter(addresses: Collection[Address]) -> Filter:
    return {ADDRESS: [str(address) for address in addresses]} if len(addresses) <= MAX_FILTERED else {}


def _sent(payload: str) -> tuple[Mapping[str, str], int]:
    """The metadata and the start in one of our own payloads."""
    item = decode(payload.encode())
    assert isinstance(item, dict)  # noqa: S101 - narrows a type
    metadata = item["metadata"]
    assert isinstance(metadata, dict)  # noqa: S101 - narrows a type
    return metadata, integer(item.get("starts_at")) or 0


def _check_accepted(answer: Response) -> None:
    """Check that AOM accepted a push: it responds 204 without a body. A 200 with a gateway's page, or with an error in
    it, is not an acceptance.
    """
    if not answer.body.strip():
        return
    value = answer.json()
    if isinstance(value, dict) and (value.get("error_code") or value.get("error_msg")):
        raise answer.unreadable(f"{value.get('error_code')}: {value.get('error_msg') or value.get('error_message')}")
