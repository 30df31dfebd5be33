"""A peer: one Alertmanager process, with its own alerts in memory and its own dispatcher."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from reconciler.emulator.alertmanager.alert import Alert
from reconciler.emulator.alertmanager.alert_store import AlertStore
from reconciler.emulator.alertmanager.dispatch import Dispatcher
from reconciler.emulator.alertmanager.instant import SECOND

COLLECTION = 1_800 * SECOND
"""How often resolved alerts are forgotten; until then a later post may merge with one."""


class Peer:
    """``store`` keeps the alerts of an emulator that ends with every command; without it they end with the peer."""

    def __init__(self, number: int, store: AlertStore | None = None) -> None:
        self.number = number
        self._store = store
        self.name = f"{number:02d}EMULATEDPEER000000000000"
        self.prefix = "/alertmanager" if number == 1 else f"/alertmanager-{number}"
        self.external_url = f"http://localhost{self.prefix}"
        """As the last request named it."""
        self.alerts: dict[str, Alert] = {}
        self.started_at = 0
        self.dispatcher: Dispatcher | None = None
        """None while the peer is down."""
        self._hidden: deque[tuple[int, list[Alert]]] = deque()
        self._collected_at = 0
        self._last_update = 0

    def start(self, dispatcher: Callable[[], Dispatcher], now: int) -> None:
        """Start without alerts, as any start does; with those that are stored, go on."""
        self.stop()
        self.started_at = now if self._store is None else self._store.started_at(self.number, now)
        self._collected_at = now
        self.dispatcher = dispatcher()
        self._refresh(now)

    def lose(self) -> None:
        """Stop, and lose all alerts, stored ones too."""
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
        """Group all alerts anew: the configuration has changed."""
        if self.dispatcher is None:
            return
        self.dispatcher.stop()
        self.dispatcher = dispatcher()
        for alert in self.alerts.values():
            self.dispatcher.insert(alert, now)

    def update_time(self, now: int) -> int:
        """``now`` for a post, or a little later: two posts never share it."""
        self._last_update = max(now, self._last_update + 1)
        return self._last_update

    def post(self, alerts: list[Alert], now: int, hidden_for: int = 0) -> None:
        """Take alerts, at once or after ``hidden_for`` nanoseconds; a later post does not overtake a hidden one."""
        if hidden_for or self._hidden:
            due = max(now + hidden_for, self._hidden[-1][0] if self._hidden else 0)
            self._hidden.append((due, alerts))
        else:
            self._put(alerts, now)

    def catch_up(self, now: int) -> int | None:
        """Do all that is due; when there is more to do, None if nothing is."""
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

    def unresolved(self, now: int) -> list[Alert]:
        """The alerts that the API shows, by fingerprint."""
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
        assert self.dispatcher is not None
        for posted in alerts:
            stored = self.alerts.get(posted.fingerprint)
            alert = stored.merged_with(posted, now) if stored is not None and stored.overlaps(posted) else posted
            self.alerts[alert.fingerprint] = alert
            self.dispatcher.insert(alert, now)

    def _refresh(self, now: int) -> None:
        """Take over what other processes have stored."""
        if self._store is None or not self._store.is_stale(self.number):
            return
        assert self.dispatcher is not None
        stored = self._store.load(self.number)
        for key, alert in stored.items():
            if self.alerts.get(key) != alert:
                self.dispatcher.insert(alert, now)
        self.alerts = stored
