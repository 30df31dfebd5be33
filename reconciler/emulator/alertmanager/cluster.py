"""The cluster: the peers, and what they share: silences, the notification log and the configuration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from reconciler.emulator.alertmanager.alert_store import AlertStore
from reconciler.emulator.alertmanager.config import DEFAULT, Config, parse_config
from reconciler.emulator.alertmanager.dispatch import Dispatcher, Pipeline
from reconciler.emulator.alertmanager.instant import MS, SECOND
from reconciler.emulator.alertmanager.notification import NotificationLog
from reconciler.emulator.alertmanager.peer import Peer
from reconciler.emulator.alertmanager.silence_store import SilenceStore
from reconciler.emulator.clock import Clock
from reconciler.emulator.database import Database
from reconciler.emulator.fault import MOST_PEERS
from reconciler.emulator.settings import Settings

LONGEST_SLEEP_S = 1.0
"""How long a clock that is moved by others goes unnoticed."""
LONGEST_SETTLING_S = 5.0


class Cluster:
    """ValueError when the configuration of the settings is not right."""

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
        """The last nanosecond of the clock's millisecond, so that a finer time a client just read is not ahead."""
        return self._clock.now() * MS + MS - 1

    def catch_up(self) -> int:
        """Do all that is due; the time now."""
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
        """Stop a peer: its alerts are gone, and with the last peer, if killed, what it had not written to disk."""
        now = self.catch_up()
        peer.lose()
        if not killed:
            self._write_snapshots(now)
        elif not any(each.dispatcher for each in self.peers):
            self.silences.snapshot.restore(now)
            self.log.snapshot.restore(now)

    def configure(self, config: Config) -> None:
        """Play another configuration from now on, as a reload does."""
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
        """All as at the first start."""
        self.config = self._initial
        self.silences.reset()
        self.log.reset()
        for peer in self.peers:
            peer.lose()
            self.start(peer)

    def wake(self) -> None:
        """Have the background look again at what is due."""
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Notify in the background while the block runs."""
        task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            for peer in self.peers:
                peer.stop()

    async def settle(self) -> None:
        """Wait until all that is due now is done and said; not longer than a few seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_SETTLING_S):
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
        self.silences.snapshot.take(now)
        self.log.snapshot.take(now)

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
