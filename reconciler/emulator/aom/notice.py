"""Notices: the notification rules in force, and what was sent because of them."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict

from reconciler.emulator.aom.notification import NotificationRule, parse_rule
from reconciler.emulator.database import Database
from reconciler.emulator.settings import Settings
from reconciler.emulator.wire import parse, text

SCHEMA = """
CREATE TABLE IF NOT EXISTS aom_notification_rule (name TEXT PRIMARY KEY, rule TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS aom_notification (
    event INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    rule TEXT NOT NULL,
    topic TEXT NOT NULL,
    code TEXT NOT NULL,
    request_id TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS aom_notification_by_event ON aom_notification (event);
"""


class NotificationLog:
    """Rules and messages, kept with the alarms they are about."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self.publish: Callable[[str, str, str, int], object] | None = None
        """Sends a text to a topic of SMN: topic, subject, message, time."""
        database.create(SCHEMA)
        self.add(settings.notifications)

    def rules(self) -> list[NotificationRule]:
        rows = self._database.connection.execute("SELECT rule FROM aom_notification_rule ORDER BY name")
        return [parse_rule(parse(rule)) for (rule,) in rows]

    def add(self, rules: Sequence[NotificationRule]) -> None:
        """Add rules, or replace those of the same name; they hold for alarms opened from now on."""
        if not rules:
            return
        with self._database.write() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO aom_notification_rule VALUES (?, ?)",
                [(rule.name, text(asdict(rule))) for rule in rules],
            )

    def remove(self) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM aom_notification_rule")

    def sent(self, seq: int, now: int) -> list[tuple[int, str, str, str, str]]:
        """What was sent about an event by now: time, rule, topic, code, request id."""
        return self._database.connection.execute(
            "SELECT sent_at, rule, topic, code, request_id FROM aom_notification"
            " WHERE event = ? AND sent_at <= ? ORDER BY sent_at, rule",
            (seq, now),
        ).fetchall()

    def send(
        self,
        connection: sqlite3.Connection,
        rules: Iterable[NotificationRule],
        seq: int,
        alarm: Mapping[str, object],
        arrived: int,
    ) -> None:
        """Tell of an alarm that was opened or cleared, within the transaction that does it.

        ``alarm`` is what a message shows: starts_at, ends_at (0 while it fires), metadata and annotations.
        """
        metadata = alarm["metadata"]
        assert isinstance(metadata, dict)
        cleared = alarm["ends_at"] != 0
        for rule in rules:
            if not rule.applies_to(metadata) or (cleared and not rule.cleared):
                continue
            at = arrived + rule.after
            connection.execute(
                "INSERT INTO aom_notification VALUES (?, ?, ?, ?, ?, ?)",
                (seq, at, rule.name, rule.topic, rule.code, secrets.token_hex(16)),
            )
            if self.publish is not None and rule.code.startswith("2"):
                self.publish(rule.topic, f"[{metadata['event_severity']}] {metadata['event_name']}", text(alarm), at)

    def reset(self) -> None:
        """Forget what was sent; the settings' rules alone hold again."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM aom_notification")
            connection.execute("DELETE FROM aom_notification_rule")
        self.add(self._settings.notifications)
