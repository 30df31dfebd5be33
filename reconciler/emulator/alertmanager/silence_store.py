"""The silence store: one for all peers, kept in the database, so that silences outlive a restart."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from reconciler.emulator.alertmanager.instant import SECOND, Instant
from reconciler.emulator.alertmanager.labels import Version
from reconciler.emulator.alertmanager.matcher import Matcher
from reconciler.emulator.alertmanager.silence import Silence, matcher_problem, time_problem
from reconciler.emulator.alertmanager.snapshot import Snapshot
from reconciler.emulator.database import Database
from reconciler.emulator.wire import parse, text

RETENTION = 120 * 3_600 * SECOND
"""Nanoseconds for which an expired silence is still shown."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS alertmanager_silence (
    id TEXT PRIMARY KEY,
    ends_at INTEGER NOT NULL,
    silence TEXT NOT NULL
) WITHOUT ROWID;
"""


class UnknownSilenceError(LookupError):
    """There is no silence of this id."""


class SilenceStore:
    def __init__(self, database: Database, version: Version) -> None:
        self._database = database
        self._version = version
        database.create(SCHEMA)
        self.snapshot = Snapshot(database, "alertmanager_silence")

    def listing(self, now: int) -> list[Silence]:
        """All silences: active ones that end soonest first, then pending ones, then expired ones, latest first."""
        order = {"active": 0, "pending": 1, "expired": 2}

        def key(silence: Silence) -> tuple[int, int]:
            state = silence.state(now)
            by = {"active": silence.ends_at.ns, "pending": silence.starts_at.ns, "expired": -silence.ends_at.ns}
            return order[state], by[state]

        rows = self._database.connection.execute(
            "SELECT silence FROM alertmanager_silence WHERE ends_at > ?", (now - RETENTION,)
        )
        return sorted((_read(stored) for (stored,) in rows), key=key)

    def unexpired(self, now: int) -> Sequence[Silence]:
        """The active and pending silences, by id."""
        rows = self._database.connection.execute(
            "SELECT silence FROM alertmanager_silence WHERE ends_at > ? ORDER BY id", (now,)
        )
        return [_read(stored) for (stored,) in rows]

    def get(self, identifier: str) -> Silence:
        row = self._database.connection.execute(
            "SELECT silence FROM alertmanager_silence WHERE id = ?", (identifier,)
        ).fetchone()
        if row is None:
            raise UnknownSilenceError("silence not found")
        return _read(row[0])

    def put(self, posted: Silence, now: int) -> str:
        """Store a silence, or change or replace the one of its id; the id it has now.

        ValueError when it is not valid, UnknownSilenceError when its id is not known.
        """
        problem = time_problem(posted, now)
        if problem:
            raise ValueError(problem)
        previous = self.get(posted.id) if posted.id else None
        if previous is not None and previous.can_become(posted, now):
            silence = posted
        else:
            if previous is not None:
                self.expire(previous.id, now)
            starts_at = posted.starts_at if posted.starts_at.ns >= now else Instant(now)
            silence = replace(posted, id=str(uuid.uuid4()), starts_at=starts_at)
        problem = matcher_problem(silence, self._version)
        if problem:
            raise ValueError(problem)
        self._store(replace(silence, updated_at=now))
        return silence.id

    def expire(self, identifier: str, now: int) -> None:
        """End a silence now; one that has ended stays as it is. UnknownSilenceError when there is none."""
        silence = self.get(identifier)
        state = silence.state(now)
        if state == "expired":
            return
        starts_at = Instant(now) if state == "pending" else silence.starts_at
        self._store(replace(silence, starts_at=starts_at, ends_at=Instant(now), updated_at=now))

    def reset(self) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM alertmanager_silence")

    def _store(self, silence: Silence) -> None:
        self.snapshot.take_if_due(silence.updated_at)
        stored = [
            silence.id,
            [[each.name, each.value, each.is_regex, each.is_equal] for each in silence.matchers],
            list(silence.starts_at),
            list(silence.ends_at),
            silence.updated_at,
            silence.created_by,
            silence.comment,
            [list(pair) for pair in silence.annotations],
        ]
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO alertmanager_silence VALUES (?, ?, ?)",
                (silence.id, min(silence.ends_at.ns, 2**63 - 1), text(stored)),
            )


@lru_cache(maxsize=1_024)
def _read(stored: str) -> Silence:
    value = parse(stored.encode())
    assert isinstance(value, list)
    identifier, matchers, starts_at, ends_at, updated_at, created_by, comment, annotations = value
    return Silence(
        identifier,
        tuple(Matcher(*each) for each in matchers),
        Instant(*starts_at),
        Instant(*ends_at),
        updated_at,
        created_by,
        comment,
        tuple((name, told) for name, told in annotations),
    )
