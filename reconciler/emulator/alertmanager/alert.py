"""Alerts: validates posted alerts, merges them with earlier ones, and stores them between commands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from reconciler.emulator.alertmanager.instant import ABSENT, Instant, parse_instant
from reconciler.emulator.alertmanager.matcher import Version, fingerprint, invalid_name
from reconciler.emulator.database import Database

_FIELDS: dict[str, type] = {"labels": dict, "annotations": dict, "startsAt": str, "endsAt": str, "generatorURL": str}
_SURROGATES = re.compile("[\ud800-\udfff]")


class SchemaError(ValueError):
    """Posted data violates the API's schema: status 422."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Alert:
    """One posted alert (API v2, ``postableAlert``); ``updated_at`` is nanoseconds."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: Instant
    ends_at: Instant
    updated_at: int
    generator_url: str
    is_timeout: bool
    """Whether ``ends_at`` is the server's default, which a later post may shorten."""
    fingerprint: str

    def is_resolved(self, now: int) -> bool:
        return self.ends_at.ns <= now

    def overlaps(self, newer: Alert) -> bool:
        """Whether ``newer`` starts or ends within this alert's time, so that they are merged; otherwise it replaces
        this alert.
        """
        return (
            self.starts_at.ns < newer.ends_at.ns < self.ends_at.ns
            or self.starts_at.ns < newer.starts_at.ns < self.ends_at.ns
        )

    def merged_with(self, newer: Alert, now: int) -> Alert:
        """The newer post with the earlier start. While both fire, it has the later end, unless that end was a
        default.
        """
        starts_at = self.starts_at if self.starts_at.ns < newer.starts_at.ns else newer.starts_at
        ends_at = newer.ends_at
        keeps_end = self.is_resolved(now) if newer.is_resolved(now) else not self.is_timeout
        if keeps_end and self.ends_at.ns > ends_at.ns:
            ends_at = self.ends_at
        return replace(newer, starts_at=starts_at, ends_at=ends_at)


def read_json(body: bytes) -> object:
    """The first JSON value of a body, with invalid UTF-8 replaced by U+FFFD. Raises ValueError if there is none."""
    text = body.decode("utf-8", "replace").lstrip(" \t\r\n")
    value, _ = _DECODER.raw_decode(text)
    return value


def read_alerts(body: bytes, now: int, resolve_timeout: int, version: Version) -> tuple[list[Alert], list[str]]:
    """The valid alerts of a body, and what is wrong with each of the others.

    Raises SchemaError if the body violates the API's schema, and ValueError if it is not a list of alerts; nothing is
    stored then.
    """
    if not body:
        raise SchemaError(602, "alerts in body is required")
    posted = read_json(body)
    items = list(_typed([] if posted is None else posted))
    for index, item in enumerate(items):
        url = item.get("generatorURL")
        if url and not _is_uri(str(url)):
            raise SchemaError(601, f'{index}.generatorURL in body must be of type uri: "{url}"')
        if item.get("labels") is None:
            raise SchemaError(602, f"{index}.labels in body is required")
    good, bad = [], []
    for item in items:
        alert = _alert(item, now, resolve_timeout)
        problem = _problem(alert, version)
        if problem is None:
            good.append(alert)
        else:
            bad.append(problem)
    return good, bad


def _typed(value: object) -> Iterator[Mapping[str, object]]:
    if not isinstance(value, list):
        raise ValueError("the value is not a list of alerts")
    for item in value:
        if not isinstance(item, dict):
            raise ValueError("an alert is not an object")
        for key, kind in _FIELDS.items():
            field = item.get(key)
            if field is not None and not isinstance(field, kind):
                raise ValueError(f"Alert.{key} is of another type")
            if isinstance(field, dict) and not all(each is None or isinstance(each, str) for each in field.values()):
                raise ValueError(f"a value of Alert.{key} is not text")
            if isinstance(field, str) and key.endswith("At"):
                parse_instant(field)
        yield item


def _alert(item: Mapping[str, object], now: int, resolve_timeout: int) -> Alert:
    starts_at, ends_at = _instant(item.get("startsAt")), _instant(item.get("endsAt"))
    is_timeout = ends_at.ns == ABSENT.ns
    if starts_at.ns == ABSENT.ns:
        starts_at = Instant(now) if is_timeout else ends_at
    if is_timeout:
        ends_at = Instant(now + resolve_timeout)
    labels = {name: value for name, value in _texts(item.get("labels")).items() if value}
    url = str(item.get("generatorURL") or "")
    identity = fingerprint(labels)
    return Alert(labels, _texts(item.get("annotations")), starts_at, ends_at, now, url, is_timeout, identity)


def _problem(alert: Alert, version: Version) -> str | None:
    if alert.ends_at.ns < alert.starts_at.ns:
        return "start time must be before end time"
    if not alert.labels:
        return "at least one label pair required"
    if (name := invalid_name(alert.labels, version)) is not None:
        return f'invalid label set: invalid name "{name}"'
    if (name := invalid_name(alert.annotations, version)) is not None:
        return f'invalid annotations: invalid name "{name}"'
    return None


def _instant(value: object) -> Instant:
    return parse_instant(value) if isinstance(value, str) else ABSENT


def _texts(value: object) -> dict[str, str]:
    return {str(name): each or "" for name, each in value.items()} if isinstance(value, dict) else {}


def _is_uri(text: str) -> bool:
    """Whether Go's ``ParseRequestURI`` accepts it: a scheme or a leading slash, and no invalid escapes, hosts or
    control characters.
    """
    if re.search(r"[\x00-\x1f\x7f]", text) or re.search(r"%(?![0-9a-fA-F]{2})", text):
        return False
    if not re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:.|/", text, re.DOTALL):
        return False
    try:
        parts = urlsplit(text)
        return " " not in parts.netloc and (parts.port is None or parts.port >= 0)
    except ValueError:
        return False


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return {_scalar(key): _scalars(value) for key, value in pairs}


def _scalars(value: object) -> object:
    return _scalar(value) if isinstance(value, str) else value


def _scalar(text: str) -> str:
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_object)


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
    """The alerts of each peer in the database. Several emulator processes may share it, each acting as the same
    server.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[int, int] = {}
        database.create(SCHEMA)

    @contextmanager
    def change(self) -> Iterator[None]:
        """Lock the alerts against changes of other processes while the block runs."""
        with self._database.write():
            yield

    def is_stale(self, peer: int) -> bool:
        """Whether another process may have changed the peer's alerts since the last call."""
        version = int(self._database.connection.execute("PRAGMA data_version").fetchone()[0])
        changed = version != self._seen.get(peer)
        self._seen[peer] = version
        return changed

    def started_at(self, peer: int, now: int) -> int:
        """When the peer first started; now, if it was not running."""
        with self._database.write() as connection:
            connection.execute("INSERT OR IGNORE INTO alertmanager_start VALUES (?, ?)", (peer, now))
            found = connection.execute("SELECT started_at FROM alertmanager_start WHERE peer = ?", (peer,)).fetchone()
        return int(found[0])

    def load(self, peer: int) -> dict[str, Alert]:
        rows = self._database.connection.execute("SELECT alert FROM alertmanager_alert WHERE peer = ?", (peer,))
        return {alert.fingerprint: alert for alert in (_read(row[0]) for row in rows)}

    def save(self, peer: int, alerts: Iterable[Alert]) -> None:
        """Save alerts; call it within ``change``."""
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
        """Delete all alerts of a peer, as stopping it does."""
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
