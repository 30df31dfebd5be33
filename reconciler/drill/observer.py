"""Observation: when the services first show a push, whom they notify, and when a cleared alarm is gone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from threading import Event, Lock
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from reconciler.apply.verify import shown_contents, visible_operations
from reconciler.config.stack import ProviderConfig
from reconciler.core.clock import Clock
from reconciler.core.data_source import NOTIFICATIONS, DataSource, Item, sources_of
from reconciler.core.delivery import Arrival, DeliveryLog, DeliveryQuery
from reconciler.core.duration import MINUTE, SECOND, rough_duration
from reconciler.core.observed import KEY, STACK, Observed
from reconciler.core.operation import Operation, Verb
from reconciler.core.retry import poll_intervals
from reconciler.drill.record import Emission
from reconciler.drill.store import RunJournal
from reconciler.providers.protocol import Provider, Queryable, ServiceError
from reconciler.providers.registry import Registry
from reconciler.session.session import StackSession


class Notification(NamedTuple):
    """The first delivered message about an alarm: when (epoch ms; None if unknown), and by which receiver."""

    at: int | None
    by: str


class NotificationQuery(NamedTuple):
    """A query for the alarms of a drill with the notifications of each."""

    provider: Queryable
    source: DataSource
    query: BaseModel

    def ask(self) -> Mapping[str, Notification]:
        """The notification of each alarm that has one, by the idempotency key in its marks. Raises ServiceError."""
        items = self.provider.query(self.source.name, self.query, (NOTIFICATIONS,))
        found = ((_key(item), _first(item)) for item in items)
        return {key: notification for key, notification in found if key is not None and notification is not None}


def notification_queries(
    owner: str, providers: Mapping[str, Provider], configs: Mapping[str, ProviderConfig], registry: Registry
) -> list[NotificationQuery]:
    """One for each provider that stores alarms by their metadata and reports their notifications."""
    found = []
    for key, provider in providers.items():
        kind = registry.get(configs[key].type)
        if not isinstance(provider, Queryable) or kind is None:
            continue
        for source in sources_of(kind).values():
            if NOTIFICATIONS in source.fields and "annotations" in source.fields:
                try:
                    query = source.model.model_validate({"metadata": {STACK: owner}})
                except ValidationError:  # a third-party source without such a filter
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
    notifications = [Notification(_instant(one.get("sent_at")), " ".join(_words(one))) for one in delivered]
    return min(notifications, key=lambda notification: notification.at or 0, default=None)


def _instant(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _words(sent: Mapping[str, object]) -> Iterable[str]:
    return [str(sent[name]) for name in ("rule", "topic") if sent.get(name)] or ["a notification"]


NOTIFICATION_WINDOW = 5 * MINUTE
"""How long (ms) after a push its notification is awaited."""
SLOWEST = 10 * SECOND
"""The longest pause (ms) between two queries for notifications."""


class EffectObserver:
    """Polls the services while the drill waits; a failed query is repeated at the next poll."""

    def __init__(
        self,
        session: StackSession,
        journal: RunJournal,
        notification_queries: Sequence[NotificationQuery],
        receivers: Sequence[Callable[[DeliveryQuery], DeliveryLog]] = (),
    ) -> None:
        self._session = session
        self._journal = journal
        self._queries = notification_queries
        self._receivers = receivers
        self._unseen: dict[str, tuple[Operation, int]] = {}
        self._pauses = poll_intervals()
        self._next = 0
        self._notification_pauses = poll_intervals(first=200, cap=SLOWEST)
        self._next_notification = 0
        self._lock = Lock()

    def track(self, operations: Sequence[Operation]) -> None:
        """Poll for the effect of operations that are done, for as long as their services may take to show it."""
        now = self._session.clock.now()
        for operation in operations:
            window = self._session.providers[operation.provider].limits.visible_within
            self._unseen[operation.key] = operation, now + window
        self._pauses, self._next = poll_intervals(), 0
        self.poll_soon()

    def poll_soon(self) -> None:
        """Query notifications at the next poll, and frequently from then on."""
        self._notification_pauses, self._next_notification = poll_intervals(first=200, cap=SLOWEST), 0

    def poll(self) -> int | None:
        """Run the queries that are due; returns how long (ms) until the next one, None if nothing is awaited."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            now = self._session.clock.now()
            if self._unseen and now >= self._next:
                self._query_effects(now)
                self._next = self._session.clock.now() + next(self._pauses)
            untold = len(list(self._unnotified(now))) + len(list(self._undelivered(now)))
            if untold and now >= self._next_notification:
                self._query_notifications(now)
                pause = max(next(self._notification_pauses), untold * SECOND // 20)
                self._next_notification = self._session.clock.now() + pause
            awaited = [self._next] if self._unseen else []
            awaited += [self._next_notification] if untold else []
            return max(0, min(awaited) - self._session.clock.now()) if awaited else None
        finally:
            self._lock.release()

    def _query_effects(self, now: int) -> None:
        for key in {operation.provider for operation, _ in self._unseen.values()}:
            mine = [operation for operation, _ in self._unseen.values() if operation.provider == key]
            try:
                shown = list(self._session.providers[key].read_back(mine))
            except ServiceError:
                continue
            found = visible_operations(mine, shown)
            if found:
                self._note([operation for operation in mine if operation.key in found], shown)
        late = [operation for operation, until in self._unseen.values() if now >= until]
        for operation in late:
            del self._unseen[operation.key]
        if late:
            window = rough_duration(self._session.visible_within)
            self._journal.write(
                *(f"{operation.address}: its {operation.verb} is not visible after {window}" for operation in late)
            )

    def _note(self, operations: Sequence[Operation], shown: Sequence[Observed]) -> None:
        now = self._session.clock.now()
        keys = [operation.key for operation in operations]
        self._session.ledger.confirm(keys, now, shown_contents(operations, shown))
        ids = {found.marks.key: found.id for found in shown if found.marks.key}
        pushed = {operation.key for operation in operations if operation.verb is Verb.PUSH}
        cleared = {str(operation.address) for operation in operations if operation.verb is Verb.CLEAR}
        for operation in operations:
            del self._unseen[operation.key]

        def change(sent: Emission) -> Emission:
            keys = pushed.intersection(sent.keys)
            if keys and sent.seen_at is None:
                known = next((ids[key] for key in keys if key in ids), sent.id)
                return sent.model_copy(update={"seen_at": now, "id": known})
            if sent.marked_address in cleared and sent.ended_at is not None and sent.gone_at is None:
                return sent.model_copy(update={"gone_at": now})
            return sent

        self._journal.update(change)

    def undelivered_ends(self) -> list[Emission]:
        """Alarms whose start was delivered to a receiver and whose end was not, while that is still possible."""
        return [sent for sent in self._undelivered(self._session.clock.now()) if sent.delivered_at is not None]

    def _unnotified(self, now: int) -> Iterator[Emission]:
        for sent in self._journal.record.emissions if self._queries else ():
            if sent.notified_at is None and sent.active and now - sent.sent_at <= NOTIFICATION_WINDOW:
                yield sent

    def _undelivered(self, now: int) -> Iterator[Emission]:
        """Alarms of which a receiver may still get a notification: of their start, or after it of their end."""
        for sent in self._journal.record.alarms if self._receivers else ():
            if sent.unsent:
                continue
            if sent.delivered_at is None:
                awaited_since: int | None = sent.sent_at
            else:
                awaited_since = None if sent.resolved_at is not None else sent.ended_at
            if awaited_since is not None and now - awaited_since <= NOTIFICATION_WINDOW:
                yield sent

    def _query_notifications(self, now: int) -> None:
        for query in self._queries if any(self._unnotified(now)) else ():
            try:
                found = query.ask()
            except ServiceError:
                continue
            self._journal.update(partial(_notified, found, now))
        for receiver in self._receivers:
            awaited = list(self._undelivered(now))
            keys = tuple(key for sent in awaited for key in (*sent.keys, *sent.clear_keys))
            if not keys:
                return
            try:
                log = receiver(DeliveryQuery(keys, since=min(sent.sent_at for sent in awaited)))
            except ServiceError:
                continue
            self._journal.update(partial(_delivered, log))


def _notified(found: Mapping[str, Notification], now: int, sent: Emission) -> Emission:
    notification = next((found[key] for key in sent.keys if key in found), None)
    if notification is None or sent.notified_at is not None:
        return sent
    at = now if notification.at is None else notification.at
    return sent.model_copy(update={"notified_at": at, "notified": notification.by})


def _delivered(log: DeliveryLog, sent: Emission) -> Emission:
    keys = {*sent.keys, *sent.clear_keys}
    changes: dict[str, object] = {}
    if sent.delivered_at is None and (first := _first_arrival(log, keys, resolved=False)) is not None:
        changes |= {"delivered_at": first.received_at, "delivered": first.receiver}
    if sent.resolved_at is None and (last := _first_arrival(log, keys, resolved=True)) is not None:
        changes |= {"resolved_at": last.received_at, "resolved": last.receiver}
    return sent.model_copy(update=changes) if changes else sent


def _first_arrival(log: DeliveryLog, keys: Collection[str], *, resolved: bool) -> Arrival | None:
    arrivals = [each for each in log.arrivals if each.key in keys and (each.status == "resolved") is resolved]
    return min(arrivals, key=lambda each: each.received_at, default=None)


class ObservingClock:
    """A clock whose waits let the observer poll, for instance while a check waits."""

    def __init__(self, clock: Clock, observer: EffectObserver) -> None:
        self._clock = clock
        self._observer = observer

    def now(self) -> int:
        return self._clock.now()

    def monotonic(self) -> int:
        return self._clock.monotonic()

    def pause(self, milliseconds: int, stop: Event) -> bool:
        until = self._clock.now() + milliseconds
        while not stop.is_set():
            due_in = self._observer.poll()
            left = until - self._clock.now()
            if left <= 0:
                break
            self._clock.pause(left if due_in is None else min(left, max(due_in, 10)), stop)
        return stop.is_set()
