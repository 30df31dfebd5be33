"""Notifications: decides whether a group is due for one, sends its webhook with retries, and logs what was sent."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from reconciler.emulator.alertmanager.alert import Alert
from reconciler.emulator.alertmanager.config import Webhook
from reconciler.emulator.alertmanager.instant import ABSENT
from reconciler.emulator.alertmanager.snapshot import Snapshot
from reconciler.emulator.database import Database
from reconciler.emulator.wire import dump, parse, text

SCHEMA = """
CREATE TABLE IF NOT EXISTS alertmanager_notification (
    group_key TEXT NOT NULL,
    receiver TEXT NOT NULL,
    integration INTEGER NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (group_key, receiver, integration)
) WITHOUT ROWID;
"""
_GO_META = re.compile(r"([\\.+*?()|\[\]{}^$])")


@dataclass(frozen=True, slots=True)
class Flush:
    """The alerts of a group at one flush; ``audible`` leaves out suppressed ones."""

    at: int
    audible: tuple[Alert, ...]
    resolved: tuple[Alert, ...]
    """All resolved alerts, including suppressed ones."""

    def firing(self) -> frozenset[str]:
        return frozenset(alert.fingerprint for alert in self.audible if not alert.is_resolved(self.at))

    def ended(self) -> frozenset[str]:
        return frozenset(alert.fingerprint for alert in self.audible if alert.is_resolved(self.at))


@dataclass(frozen=True, slots=True)
class Entry:
    """What a receiver was last notified of about a group, and when."""

    at: int
    firing: frozenset[str]
    resolved: frozenset[str]


class NotificationLog:
    """The last notification of each group and integration, shared by all peers and kept in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(SCHEMA)
        self.snapshot = Snapshot(database, "alertmanager_notification")

    def get(self, group_key: str, receiver: str, integration: int) -> Entry | None:
        row = self._database.connection.execute(
            "SELECT entry FROM alertmanager_notification WHERE group_key = ? AND receiver = ? AND integration = ?",
            (group_key, receiver, integration),
        ).fetchone()
        if row is None:
            return None
        value = parse(row[0].encode())
        assert isinstance(value, list)  # noqa: S101 - narrows a type
        at, firing, resolved = value
        return Entry(at, frozenset(firing), frozenset(resolved))

    def put(self, group_key: str, receiver: str, integration: int, entry: Entry) -> None:
        self.snapshot.capture_if_due(entry.at)
        stored = text([entry.at, sorted(entry.firing), sorted(entry.resolved)])
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO alertmanager_notification VALUES (?, ?, ?, ?)",
                (group_key, receiver, integration, stored),
            )

    def reset(self) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM alertmanager_notification")


def is_due(entry: Entry | None, flush: Flush, repeat_interval: int, *, send_resolved: bool) -> bool:
    """Whether a receiver must be notified: the set of alerts has changed, or the repeat interval has passed."""
    firing, ended = flush.firing(), flush.ended()
    if entry is None:
        return bool(firing)
    if not firing <= entry.firing:
        return True
    if not firing:
        return bool(entry.firing)
    if send_resolved and not ended <= entry.resolved:
        return True
    return entry.at < flush.at - repeat_interval


def payload(
    flush: Flush,
    webhook: Webhook,
    *,
    receiver: str,
    group_key: str,
    group_labels: Mapping[str, str],
    external_url: str,
) -> bytes | None:
    """The body of a webhook, version 4; None if it has nothing for this receiver."""
    alerts = [alert for alert in flush.audible if webhook.send_resolved or not alert.is_resolved(flush.at)]
    if not alerts:
        return None
    shown = alerts[: webhook.max_alerts] if webhook.max_alerts else alerts
    described = [_described(alert, flush.at) for alert in shown]
    return dump(
        {
            "receiver": _GO_META.sub(r"\\\1", receiver),
            "status": "firing" if any(each["status"] == "firing" for each in described) else "resolved",
            "alerts": described,
            "groupLabels": group_labels,
            "commonLabels": _common([alert.labels for alert in shown]),
            "commonAnnotations": _common([alert.annotations for alert in shown]),
            "externalURL": external_url,
            "version": "4",
            "groupKey": group_key,
            "truncatedAlerts": len(alerts) - len(shown),
        }
    )


def _described(alert: Alert, now: int) -> dict[str, object]:
    resolved = alert.is_resolved(now)
    return {
        "status": "resolved" if resolved else "firing",
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": alert.starts_at.in_nanoseconds(),
        "endsAt": (alert.ends_at if resolved else ABSENT).in_nanoseconds(),
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }


def _common(mappings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *others = mappings
    return {name: value for name, value in first.items() if all(each.get(name) == value for each in others)}


FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 60.0


async def deliver(url: str, body: bytes, version: str, timeout_s: float) -> bool:
    """Whether the receiver accepted the webhook in the time given: 5xx and lost connections are retried, 4xx is
    final.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            pause = FIRST_RETRY_S
            while True:
                status = await _post(url, body, version)
                if status is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LONGEST_RETRY_S)
    return False


async def _post(url: str, body: bytes, version: str) -> int | None:
    """The status of the response; None if there was none."""
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\nUser-Agent: Alertmanager/{version}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    writer = None
    try:
        context = ssl.create_default_context() if is_tls else None
        reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
        writer.write(head.encode() + body)
        await writer.drain()
        line = (await reader.readline()).split()
        return int(line[1]) if len(line) > 1 and line[1].isdigit() else None
    except (OSError, ValueError):
        return None
    finally:
        if writer is not None:
            writer.close()
