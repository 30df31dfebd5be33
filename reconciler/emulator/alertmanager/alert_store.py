"""The alert store: the alerts of a peer in the database, for an emulator that must remember them between commands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from reconciler.emulator.alertmanager.alert import Alert
from reconciler.emulator.alertmanager.instant import Instant
from reconciler.emulator.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS alertmanager_alert (
    peer INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    alert TEXT NOT NULL,
    PRIMARY KEY (peer, fingerprint)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alertmanager_start (
    peer INTEGER PRIMARY KEY,
    started_at INTEGER NOT NULL
);
"""


class AlertStore:
    """What a peer would hold in memory; several processes may share the file, each a stand-in for the one server."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[int, int] = {}
        database.create(SCHEMA)

    @contextmanager
    def change(self) -> Iterator[None]:
        """No other process changes alerts while the block runs."""
        with self._database.write():
            yield

    def is_stale(self, peer: int) -> bool:
        """Whether another process may have changed something since this was last asked for the peer."""
        version = int(self._database.connection.execute("PRAGMA data_version").fetchone()[0])
        changed = version != self._seen.get(peer)
        self._seen[peer] = version
        return changed

    def started_at(self, peer: int, now: int) -> int:
        """When the peer started first: now, if it has not been running."""
        with self._database.write() as connection:
            connection.execute("INSERT OR IGNORE INTO alertmanager_start VALUES (?, ?)", (peer, now))
            found = connection.execute("SELECT started_at FROM alertmanager_start WHERE peer = ?", (peer,)).fetchone()
        return int(found[0])

    def load(self, peer: int) -> dict[str, Alert]:
        rows = self._database.connection.execute("SELECT alert FROM alertmanager_alert WHERE peer = ?", (peer,))
        return {alert.fingerprint: alert for alert in (_read(row[0]) for row in rows)}

    def save(self, peer: int, alerts: Iterable[Alert]) -> None:
        """Within ``change``."""
        self._database.connection.executemany(
            "INSERT OR REPLACE INTO alertmanager_alert VALUES (?, ?, ?)",
            ((peer, alert.fingerprint, _written(alert)) for alert in alerts),
        )

    def remove(self, peer: int, fingerprints: Iterable[str]) -> None:
        with self._database.write() as connection:
            connection.executemany(
                "DELETE FROM alertmanager_alert WHERE peer = ? AND fingerprint = ?",
                ((peer, fingerprint) for fingerprint in fingerprints),
            )

    def forget(self, peer: int) -> None:
        """Lose all of a peer, as its end does."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM alertmanager_alert WHERE peer = ?", (peer,))
            connection.execute("DELETE FROM alertmanager_start WHERE peer = ?", (peer,))


def _written(alert: Alert) -> str:
    times = [(instant.ns, instant.offset) for instant in (alert.starts_at, alert.ends_at)]
    return json.dumps(
        [
            dict(alert.labels),
            dict(alert.annotations),
            *times,
            alert.updated_at,
            alert.generator_url,
            alert.is_timeout,
            alert.fingerprint,
        ]
    )


def _read(text: str) -> Alert:
    labels, annotations, starts_at, ends_at, *others = json.loads(text)
    return Alert(labels, annotations, Instant(*starts_at), Instant(*ends_at), *others)
