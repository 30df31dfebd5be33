"""Notifications: the rules that select which alarms are notified, and the messages that were sent."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from reconciler.emulator.database import Database
from reconciler.emulator.wire import parse, text

if TYPE_CHECKING:
    from reconciler.emulator.settings import Settings  # imported late: settings hold rules

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


DEFAULT_TOPIC = "urn:smn:emulator:alarms"


@dataclass(frozen=True, slots=True)
class NotificationRule:
    """A rule: an alarm is notified when it opens if its metadata has, at every key of ``match``, one of the values."""

    name: str
    topic: str = DEFAULT_TOPIC
    code: str = "200"
    """The message service's HTTP status, as text, as the API has it."""
    after: int = 0
    """Milliseconds from the arrival of the alarm to the message."""
    match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cleared: bool = False
    """Whether clearing an alarm is notified too."""

    def applies_to(self, metadata: Mapping[str, str]) -> bool:
        return all(metadata.get(key) in values for key, values in self.match.items())


def parse_rule(value: object) -> NotificationRule:
    """Parse a rule ``{name, topic?, code?, after?, cleared?, match?: {key: value or [value]}}``.

    Raises ValueError if it is invalid.
    """
    if not isinstance(value, dict):
        raise ValueError("a notification rule is an object like {name: pager, match: {event_severity: Major}}")
    unknown = value.keys() - {"name", "topic", "code", "after", "match", "cleared"}
    if unknown:
        raise ValueError(f"a notification rule has no {', '.join(sorted(map(str, unknown)))}")
    name, topic = value.get("name"), value.get("topic", DEFAULT_TOPIC)
    code, after, match = value.get("code", "200"), value.get("after", 0), value.get("match", {})
    if not isinstance(name, str) or not name:
        raise ValueError("a notification rule needs a name")
    if not isinstance(topic, str):
        raise ValueError("the topic of a notification rule is text")
    if isinstance(code, bool) or not isinstance(code, int | str) or not str(code).isdecimal():
        raise ValueError("the code of a notification rule is an HTTP status like 200")
    if isinstance(after, bool) or not isinstance(after, int) or after < 0:
        raise ValueError("'after' of a notification rule is milliseconds, 0 or more")
    cleared = value.get("cleared", False)
    if not isinstance(cleared, bool):
        raise ValueError("'cleared' of a notification rule is true or false")
    if not isinstance(match, dict):
        raise ValueError("'match' of a notification rule is an object: metadata key to value, or to a list of values")
    wanted = {}
    for key, values in match.items():
        several = values if isinstance(values, list) else [values]
        if not isinstance(key, str) or not all(isinstance(each, str) for each in several):
            raise ValueError(f"'match.{key}' of a notification rule is text or a list of texts")
        wanted[key] = tuple(several)
    return NotificationRule(name=name, topic=topic, code=str(code), after=after, match=wanted, cleared=cleared)


class NotificationLog:
    """Rules and messages, stored with the alarms that they concern."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self.publish: Callable[[str, str, str, int], object] | None = None
        """Sends a message to an SMN topic; the arguments are topic, subject, message and time."""
        database.create(SCHEMA)
        self.add(settings.notifications)

    def rules(self) -> list[NotificationRule]:
        rows = self._database.connection.execute("SELECT rule FROM aom_notification_rule ORDER BY name")
        return [parse_rule(parse(rule)) for (rule,) in rows]

    def add(self, rules: Sequence[NotificationRule]) -> None:
        """Add rules, or replace those with the same name; they apply to alarms opened from now on."""
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
        """The messages sent about an event so far: time, rule, topic, code, request id."""
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
        """Send notifications for an alarm that opened or was cleared, within the same transaction.

        ``alarm`` is what a message shows: starts_at, ends_at (0 while it fires), metadata and annotations.
        """
        metadata = alarm["metadata"]
        assert isinstance(metadata, dict)  # noqa: S101 - narrows a type
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
        """Delete sent messages, and keep only the rules of the settings."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM aom_notification")
            connection.execute("DELETE FROM aom_notification_rule")
        self.add(self._settings.notifications)
