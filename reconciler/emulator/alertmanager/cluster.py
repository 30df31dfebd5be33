"""The cluster: its peers, each with its own alerts and dispatcher, and what they share."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from reconciler.emulator.alertmanager.alert import Alert, AlertStore
from reconciler.emulator.alertmanager.config import DEFAULT, Config, parse_config
from reconciler.emulator.alertmanager.dispatch import Dispatcher, Pipeline
from reconciler.emulator.alertmanager.instant import MS, SECOND
from reconciler.emulator.alertmanager.notifications import NotificationLog
from reconciler.emulator.alertmanager.silence import SilenceStore
from reconciler.emulator.clock import Clock
from reconciler.emulator.database import Database
from reconciler.emulator.fault import MOST_PEERS
from reconciler.emulator.settings import Settings

COLLECTION = 1_800 * SECOND
"""How often resolved alerts are removed; until then a later post may merge with one."""


class Peer:
    """One peer. ``store`` keeps its alerts for emulators that end with every command; without it they are lost when it
    stops.
    """

    def __init__(self, number: int, store: AlertStore | None = None) -> None:
        self.number = number
        self._store = store
        self.name = f"{number:02d}EMULATEDPEER000000000000"
        self.prefix = "/alertmanager" if number == 1 else f"/alertmanager-{number}"
        self.external_url = f"http://localhost{self.prefix}"
        """The URL by which the last request reached the peer."""
        self.alerts: dict[str, Alert] = {}
        self.started_at = 0
        self.dispatcher: Dispatcher | None = None
        """None while the peer is down."""
        self._hidden: deque[tuple[int, list[Alert]]] = deque()
        self._collected_at = 0
        self._last_update = 0

    def start(self, dispatcher: Callable[[], Dispatcher], now: int) -> None:
        """Start without alerts, as a real server does, or with the stored ones if there is a store."""
        self.stop()
        self.started_at = now if self._store is None else self._store.started_at(self.number, now)
        self._collected_at = now
        self.dispatcher = dispatcher()
        self._refresh(now)

    def lose(self) -> None:
        """Stop, and delete all alerts, including stored ones."""
        self.stop()
        if self._store is not None:
            self._store.forget(self.number)

    def stop(self) -> None:
        if self.dispatcher is not None:
            self.dispatcher.stop()
        self.dispatcher = None
        self.alerts.clear()
        self._hidden.clear()

    def redispatch(self, dispatcher: Callable[[], Dispatcher], now: int) -> None:
        """Group all alerts again after a configuration change."""
        if self.dispatcher is None:
            return
        self.dispatcher.stop()
        self.dispatcher = dispatcher()
        for alert in self.alerts.values():
            self.dispatcher.insert(alert, now)

    def update_time(self, now: int) -> int:
        """A unique time for a post: ``now``, or slightly later."""
        self._last_update = max(now, self._last_update + 1)
        return self._last_update

    def post(self, alerts: list[Alert], now: int, hidden_for: int = 0) -> None:
        """Accept alerts, at once or after ``hidden_for`` nanoseconds; a later post does not overtake a hidden one."""
        if hidden_for or self._hidden:
            due = max(now + hidden_for, self._hidden[-1][0] if self._hidden else 0)
            self._hidden.append((due, alerts))
        else:
            self._put(alerts, now)

    def catch_up(self, now: int) -> int | None:
        """Do everything that is due. Returns when something is due next, or None."""
        if self.dispatcher is None:
            return None
        self._refresh(now)
        while self._hidden and self._hidden[0][0] <= now:
            due, alerts = self._hidden.popleft()
            self.dispatcher.run(due)
            self._put(alerts, due)
        following = self.dispatcher.run(now)
        collection = now - (now - self.started_at) % COLLECTION
        if collection > self._collected_at:
            self._collected_at = collection
            resolved = [key for key, alert in self.alerts.items() if alert.is_resolved(collection)]
            for key in resolved:
                del self.alerts[key]
            if self._store is not None and resolved:
                self._store.remove(self.number, resolved)
        shown = self._hidden[0][0] if self._hidden else None
        return min((each for each in (following, shown) if each is not None), default=None)

    def unresolved_alerts(self, now: int) -> list[Alert]:
        """The alerts that the API lists, by fingerprint."""
        return sorted(
            (alert for alert in self.alerts.values() if not alert.is_resolved(now)), key=lambda alert: alert.fingerprint
        )

    def _put(self, alerts: list[Alert], now: int) -> None:
        if self._store is None:
            self._merge(alerts, now)
            return
        with self._store.change():
            self._refresh(now)
            self._merge(alerts, now)
            self._store.save(self.number, [self.alerts[posted.fingerprint] for posted in alerts])

    def _merge(self, alerts: list[Alert], now: int) -> None:
        assert self.dispatcher is not None  # noqa: S101 - narrows a type
        for posted in alerts:
            stored = self.alerts.get(posted.fingerprint)
            alert = stored.merged_with(posted, now) if stored is not None and stored.overlaps(posted) else posted
            self.alerts[alert.fingerprint] = alert
            self.dispatcher.insert(alert, now)

    def _refresh(self, now: int) -> None:
        """Load the changes of other processes."""
        if self._store is None or not self._store.is_stale(self.number):
            return
        assert self.dispatcher is not None  # noqa: S101 - narrows a type
        stored = self._store.load(self.number)
        for key, alert in stored.items():
            if self.alerts.get(key) != alert:
                self.dispatcher.insert(alert, now)
        self.alerts = stored


LONGEST_SLEEP_S = 1.0
"""How long a change of the clock by another process may go unnoticed."""
LONGEST_DRAIN_S = 5.0


class Cluster:
    """All peers. Raises ValueError if the configuration in the settings is invalid."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self.version = settings.alertmanager_version
        self.silences = SilenceStore(database, self.version)
        self.log = NotificationLog(database)
        self._settings = settings
        self._clock = clock
        self._wake = asyncio.Event()
        self._initial = parse_config(settings.alertmanager_config or DEFAULT, self.version)
        self.config = self._initial
        if not 1 <= settings.alertmanager_peers <= MOST_PEERS:
            raise ValueError(f"alertmanager_peers is 1 to {MOST_PEERS}")
        store = AlertStore(database) if settings.alertmanager_keeps_alerts else None
        self.peers = [Peer(number, store) for number in range(1, settings.alertmanager_peers + 1)]
        for peer in self.peers:
            self.start(peer)

    def now(self) -> int:
        """The last nanosecond of the clock's millisecond, so that a finer time that a client has just read is not in
        the future.
        """
        return self._clock.now() * MS + MS - 1

    def catch_up(self) -> int:
        """Do everything that is due. Returns the current time (ns)."""
        now = self.now()
        for peer in self.peers:
            peer.catch_up(now)
        return now

    def start(self, peer: Peer) -> None:
        now = self.now()
        if not any(each.dispatcher for each in self.peers):
            self._write_snapshots(now)
        peer.start(lambda: self._dispatcher(peer, now), now)
        self.wake()

    def stop(self, peer: Peer, *, killed: bool = False) -> None:
        """Stop a peer: its alerts are lost and, if it was the last peer and is killed, also what was not yet written to
        disk.
        """
        now = self.catch_up()
        peer.lose()
        if not killed:
            self._write_snapshots(now)
        elif not any(each.dispatcher for each in self.peers):
            self.silences.snapshot.restore(now)
            self.log.snapshot.restore(now)

    def configure(self, config: Config) -> None:
        """Use another configuration from now on, as a reload does."""
        now = self.catch_up()
        self.config = config
        for peer in self.peers:
            peer.redispatch(lambda peer=peer: self._dispatcher(peer, now), now)  # type: ignore[misc]  # default binds
        self.wake()

    def silences_changed(self) -> None:
        now = self.now()
        for peer in self.peers:
            if peer.dispatcher is not None:
                peer.dispatcher.reconsider(now)
        self.wake()

    def reset(self) -> None:
        """Reset everything to the state of the first start."""
        self.config = self._initial
        self.silences.reset()
        self.log.reset()
        for peer in self.peers:
            peer.lose()
            self.start(peer)

    def wake(self) -> None:
        """Make the background task check again what is due."""
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send notifications in the background while the block runs."""
        task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            for peer in self.peers:
                peer.stop()

    async def drain(self) -> None:
        """Wait until everything due now is done and delivered, for a few seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_DRAIN_S):
                while True:
                    self.catch_up()
                    deliveries = [task for peer in self.peers if peer.dispatcher for task in peer.dispatcher.deliveries]
                    if not deliveries:
                        return
                    await asyncio.wait(deliveries)
        self.wake()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            now, speed = self.now(), self._clock.speed()
            dues = [due for peer in self.peers if (due := peer.catch_up(now)) is not None]
            pause = None
            if dues:
                ahead = max(min(dues) - now, 0) / SECOND
                pause = min(ahead / speed if speed else LONGEST_SLEEP_S, LONGEST_SLEEP_S) + 0.001
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    def _write_snapshots(self, now: int) -> None:
        self.silences.snapshot.capture(now)
        self.log.snapshot.capture(now)

    def _dispatcher(self, peer: Peer, now: int) -> Dispatcher:
        def turn() -> int:
            before = sum(each.dispatcher is not None for each in self.peers[: peer.number - 1])
            return before * self._settings.alertmanager_peer_timeout * MS

        pipeline = Pipeline(
            config=self.config,
            version=self.version,
            silences=self.silences,
            log=self.log,
            alerts=lambda: peer.alerts,
            turn=turn,
            external_url=lambda: peer.external_url,
            is_alone=len(self.peers) == 1,
            wake=self.wake,
        )
        return Dispatcher(pipeline, now)
