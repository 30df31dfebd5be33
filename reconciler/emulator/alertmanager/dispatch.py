"""The dispatcher of one peer: puts alerts in groups, and flushes each group at its intervals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from reconciler.emulator.alertmanager.alert import Alert
from reconciler.emulator.alertmanager.config import Config, Route, Webhook
from reconciler.emulator.alertmanager.instant import SECOND
from reconciler.emulator.alertmanager.matcher import Version, alert_order, group_order, written
from reconciler.emulator.alertmanager.notifications import Entry, Flush, NotificationLog, deliver, is_due, payload
from reconciler.emulator.alertmanager.silence import SilenceStore
from reconciler.emulator.alertmanager.suppression import Suppression

MAINTENANCE = 30 * SECOND
"""How often empty groups are removed; until then a group keeps its schedule."""
LEAST_TIMEOUT = 10 * SECOND


@dataclass(eq=False, slots=True)
class AggregationGroup:
    """The alerts of one route with the same group labels; times are nanoseconds."""

    route: Route
    labels: Mapping[str, str]
    due: int
    alerts: dict[str, Alert] = field(default_factory=dict)
    flushed_at: int | None = None
    forgotten_at: int | None = None
    """When maintenance removes the group, if it is still empty."""
    waiting: Flush | None = None
    """The flush that waits for the peers before this one."""
    is_busy: bool = False
    """A notification for the group is being sent."""
    is_changed: bool = False
    """Something has changed since the unfinished flush."""

    @property
    def key(self) -> str:
        return f"{self.route.key}:{written(self.labels)}"

    def tick_after(self, time: int) -> int:
        """The first tick of the group interval after a time."""
        assert self.flushed_at is not None  # noqa: S101 - narrows a type
        interval = self.route.group_interval
        return self.flushed_at + (max(time - self.flushed_at, 0) // interval + 1) * interval

    def sorted_alerts(self) -> list[Alert]:
        return sorted(self.alerts.values(), key=lambda alert: alert_order(alert.labels))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What the peer and its cluster pass to a dispatcher."""

    config: Config
    version: Version
    silences: SilenceStore
    log: NotificationLog
    alerts: Callable[[], Mapping[str, Alert]]
    """All alerts of the peer, including those that inhibit others."""
    turn: Callable[[], int]
    """How long (ns) this peer waits for others to notify first."""
    external_url: Callable[[], str]
    is_alone: bool
    wake: Callable[[], None]
    """Called when a delivery ends, since something may be due."""


class Dispatcher:
    """Groups the alerts of one peer by route and labels, and flushes groups that are due; times are nanoseconds."""

    def __init__(self, pipeline: Pipeline, now: int) -> None:
        self._pipeline = pipeline
        self._started_at = now
        self._groups: dict[tuple[int, tuple[tuple[str, str], ...]], AggregationGroup] = {}
        self._agenda: list[tuple[int, int, AggregationGroup]] = []
        self._ids = count()
        self.deliveries: set[asyncio.Task[None]] = set()

    def insert(self, alert: Alert, now: int) -> None:
        """Add an alert to the groups of all its routes."""
        for route in self._pipeline.config.route.find(alert.labels):
            group = self._group(route, alert, now)
            group.alerts[alert.fingerprint] = alert
            group.forgotten_at = None
            if group.flushed_at is not None:
                self._flush_again(group, now)
            elif alert.starts_at.ns + route.group_wait < now:
                self._schedule(group, now)

    def run(self, now: int) -> int | None:
        """Do everything that is due. Returns when something is due next, or None."""
        while self._agenda:
            due, _, group = self._agenda[0]
            if due > now:
                return due
            heappop(self._agenda)
            if group.due == due and not group.is_busy:
                self._step(group, due)
        return None

    def reconsider(self, now: int) -> None:
        """Flush every group at its next tick, since silences have changed."""
        for group in self._groups.values():
            if group.flushed_at is not None and group.alerts:
                self._flush_again(group, now)

    def groups(self) -> list[AggregationGroup]:
        """The groups that have alerts, in the order of the API."""
        held = [group for group in self._groups.values() if group.alerts]
        return sorted(held, key=lambda group: (group_order(group.labels), group.route.receiver))

    def stop(self) -> None:
        for task in self.deliveries:
            task.cancel()
        self._groups.clear()
        self._agenda.clear()

    def _group(self, route: Route, alert: Alert, now: int) -> AggregationGroup:
        labels = route.group_labels(alert.labels)
        place = id(route), tuple(sorted(labels.items()))
        group = self._groups.get(place)
        if group is None or (group.forgotten_at is not None and group.forgotten_at <= now):
            group = self._groups[place] = AggregationGroup(route, labels, due=-1)
            self._schedule(group, now + route.group_wait)
        return group

    def _flush_again(self, group: AggregationGroup, now: int) -> None:
        """Schedule a flush at the next tick, unless an unfinished flush will do so."""
        if group.is_busy or group.waiting is not None:
            group.is_changed = True
        else:
            self._schedule(group, group.tick_after(now))

    def _schedule(self, group: AggregationGroup, due: int) -> None:
        if group.due != due:
            group.due = due
            heappush(self._agenda, (due, next(self._ids), group))

    def _step(self, group: AggregationGroup, due: int) -> None:
        if group.forgotten_at is not None:
            place = id(group.route), tuple(sorted(group.labels.items()))
            if self._groups.get(place) is group:
                del self._groups[place]
            return
        flush, group.waiting = group.waiting, None
        if flush is None:
            group.flushed_at = due
            flush = self._flush(group, due)
            turn = self._pipeline.turn()
            if turn and flush.audible:
                group.waiting = flush
                self._schedule(group, due + turn)
                return
        self._notify(group, flush, due)

    def _flush(self, group: AggregationGroup, now: int) -> Flush:
        pipeline = self._pipeline
        silences = pipeline.silences.unexpired(now)
        suppression = Suppression(silences, pipeline.config.inhibit_rules, pipeline.alerts().values(), now)
        alerts = group.sorted_alerts()
        return Flush(
            at=now,
            audible=tuple(alert for alert in alerts if not suppression.mutes(alert.labels)),
            resolved=tuple(alert for alert in alerts if alert.is_resolved(now)),
        )

    def _notify(self, group: AggregationGroup, flush: Flush, now: int) -> None:
        receiver, log = self._pipeline.config.receivers[group.route.receiver], self._pipeline.log
        wanted = [
            (number, webhook)
            for number, webhook in enumerate(receiver.webhooks)
            if flush.audible
            and is_due(
                log.get(group.key, receiver.name, number),
                flush,
                group.route.repeat_interval,
                send_resolved=webhook.send_resolved,
            )
        ]
        if not wanted:
            self._finish(group, flush)
            return
        group.is_busy = True
        task = asyncio.get_running_loop().create_task(self._deliver(group, flush, wanted, now))
        self.deliveries.add(task)
        task.add_done_callback(self.deliveries.discard)

    async def _deliver(
        self, group: AggregationGroup, flush: Flush, wanted: list[tuple[int, Webhook]], now: int
    ) -> None:
        results = await asyncio.gather(*(self._send(group, flush, *each, now) for each in wanted))
        group.is_busy = False
        if all(results):
            self._finish(group, flush)
        else:
            self._schedule(group, group.tick_after(flush.at))
        self._pipeline.wake()

    async def _send(self, group: AggregationGroup, flush: Flush, number: int, webhook: Webhook, now: int) -> bool:
        pipeline, receiver = self._pipeline, group.route.receiver
        body = payload(
            flush,
            webhook,
            receiver=receiver,
            group_key=group.key,
            group_labels=group.labels,
            external_url=pipeline.external_url(),
        )
        if body is not None:
            timeout_s = max(group.route.group_interval, LEAST_TIMEOUT) / SECOND
            if not await deliver(webhook.url, body, pipeline.version, timeout_s):
                return False
        pipeline.log.put(group.key, receiver, number, Entry(now, flush.firing(), flush.ended()))
        return True

    def _finish(self, group: AggregationGroup, flush: Flush) -> None:
        """Remove the resolved alerts that were handled, unless they were posted again meanwhile; schedule the next
        flush.
        """
        for alert in flush.resolved:
            current = group.alerts.get(alert.fingerprint)
            if current is not None and current.updated_at == alert.updated_at:
                del group.alerts[alert.fingerprint]
        if not group.alerts:
            beats = (flush.at - self._started_at) // MAINTENANCE + 1
            group.forgotten_at = self._started_at + beats * MAINTENANCE
            self._schedule(group, group.forgotten_at)
            return
        after, is_changed = flush.at, group.is_changed
        group.is_changed = False
        if not is_changed and self._pipeline.is_alone and not self._pipeline.config.inhibit_rules:
            after = max(after, min(self._changes(group, flush.at)) - 1)
        self._schedule(group, group.tick_after(after))

    def _changes(self, group: AggregationGroup, now: int) -> Iterator[int]:
        """The times after ``now`` at which a flush may need to notify even if nothing is posted."""
        for alert in group.alerts.values():
            yield max(alert.ends_at.ns, now)
        receiver = self._pipeline.config.receivers[group.route.receiver]
        for number in range(len(receiver.webhooks)):
            entry = self._pipeline.log.get(group.key, receiver.name, number)
            if entry is not None:
                yield max(entry.at + group.route.repeat_interval + 1, now)
        for silence in self._pipeline.silences.unexpired(now):
            yield max(silence.starts_at.ns if silence.starts_at.ns > now else silence.ends_at.ns, now)
