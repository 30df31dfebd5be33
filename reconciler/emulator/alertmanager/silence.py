"""Silences: validates posted silences, tracks their states, and stores them for all peers."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from reconciler.emulator.alertmanager.alert import SchemaError, read_json
from reconciler.emulator.alertmanager.instant import SECOND, Instant, parse_instant
from reconciler.emulator.alertmanager.matcher import Matcher, PatternError, Version, compile_pattern, is_name, match_all
from reconciler.emulator.alertmanager.snapshot import Snapshot
from reconciler.emulator.database import Database
from reconciler.emulator.wire import parse, text

State = Literal["active", "pending", "expired"]

_FIELDS = {"id": str, "comment": str, "createdBy": str, "endsAt": str, "startsAt": str, "matchers": list}
_MATCHER_FIELDS = {"isEqual": bool, "isRegex": bool, "name": str, "value": str}
_REQUIRED = ("comment", "createdBy", "endsAt", "matchers", "startsAt")


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence (API v2, ``postableSilence``); ``updated_at`` is nanoseconds."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: Instant
    ends_at: Instant
    updated_at: int
    created_by: str
    comment: str
    annotations: tuple[tuple[str, str], ...] = ()

    def state(self, now: int) -> State:
        if now < self.starts_at.ns:
            return "pending"
        return "active" if now < self.ends_at.ns else "expired"

    def mutes(self, labels: Mapping[str, str], now: int) -> bool:
        return self.starts_at.ns <= now < self.ends_at.ns and match_all(self.matchers, labels)

    def has_all(self, matchers: Iterable[Matcher]) -> bool:
        """Whether the silence has each of these matchers, including the operator: the filter of a list."""
        return all(matcher in self.matchers for matcher in matchers)

    def can_become(self, update: Silence, now: int) -> bool:
        """Whether an update changes the silence in place: it has the same matchers, and the same start once that has
        passed.
        """
        if self.matchers != update.matchers:
            return False
        match self.state(now):
            case "active":
                return self.starts_at.ns // 10**9 == update.starts_at.ns // 10**9
            case "pending":
                return update.starts_at.ns >= now
            case _:
                return False


def read_silence(body: bytes, version: Version = "0.25.0") -> Silence:
    """Parse a silence from a body; its id is empty if not given. Raises SchemaError or ValueError if it is invalid.

    Older versions drop annotations. Raises PatternError for an invalid regular expression.
    """
    if not body:
        raise SchemaError(602, "silence in body is required")
    posted = read_json(body)
    if posted is not None and not isinstance(posted, dict):
        raise ValueError("the value is not an object")
    item = posted or {}
    _check_types(item, _FIELDS, "Silence")
    matchers = item.get("matchers")
    listed = matchers if isinstance(matchers, list) else []
    for each in listed:
        if not isinstance(each, dict):
            raise ValueError("a matcher is not an object")
        _check_types(each, _MATCHER_FIELDS, "Matcher")
    starts_at, ends_at = (parse_instant(str(item.get(key) or "")) for key in ("startsAt", "endsAt"))
    for key in _REQUIRED:
        if item.get(key) is None:
            raise SchemaError(602, f"{key} in body is required")
        if key == "matchers":
            if not listed:
                raise SchemaError(612, "matchers in body should have at least 1 items")
            for index, each in enumerate(listed):
                for part in ("isRegex", "name", "value"):
                    if each.get(part) is None:
                        raise SchemaError(602, f"matchers.{index}.{part} in body is required")
    return Silence(
        id=str(item.get("id") or ""),
        matchers=tuple(_matcher(index, each) for index, each in enumerate(listed)),
        starts_at=starts_at,
        ends_at=ends_at,
        updated_at=0,
        created_by=str(item["createdBy"]),
        comment=str(item["comment"]),
        annotations=_annotations(item.get("annotations")) if version == "0.32.0" else (),
    )


def _annotations(given: object) -> tuple[tuple[str, str], ...]:
    if given is None:
        return ()
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise ValueError("Silence.annotations is of another type")
    return tuple(given.items())


def time_problem(silence: Silence, now: int) -> str | None:
    """What is wrong with the times of a posted silence."""
    if silence.starts_at.ns >= silence.ends_at.ns:
        return "Failed to create silence: start time must be before end time"
    if silence.ends_at.ns < now:
        return "Failed to create silence: end time can't be in the past"
    return None


def matcher_problem(silence: Silence, version: Version) -> str | None:
    """What is wrong with the matchers of a silence to be stored."""
    for index, matcher in enumerate(silence.matchers):
        if not is_name(matcher.name, version):
            return f'silence invalid: invalid label matcher {index}: invalid label name "{matcher.name}"'
    if all(matcher.is_equal and matcher.matches({}) for matcher in silence.matchers):
        return "silence invalid: at least one matcher must not match the empty string"
    return None


def _matcher(index: int, item: Mapping[str, object]) -> Matcher:
    value, is_regex = str(item["value"]), item["isRegex"] is True
    if is_regex:
        try:
            compile_pattern(value, value)
        except PatternError as error:
            raise PatternError(
                f'silence invalid: invalid label matcher {index}: invalid regular expression "{value}": {error}'
            ) from None
    return Matcher(str(item["name"]), value, is_regex, item.get("isEqual") is not False)


def _check_types(item: Mapping[str, object], fields: Mapping[str, type], of: str) -> None:
    for key, kind in fields.items():
        if item.get(key) is not None and not isinstance(item[key], kind):
            raise ValueError(f"{of}.{key} is of another type")


RETENTION = 120 * 3_600 * SECOND
"""How long (ns) an expired silence is still listed."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS alertmanager_silence (
    id TEXT PRIMARY KEY,
    ends_at INTEGER NOT NULL,
    silence TEXT NOT NULL
) WITHOUT ROWID;
"""


class UnknownSilenceError(LookupError):
    """No silence has this id."""


class SilenceStore:
    """The silences in the database, shared by all peers; ``now`` is nanoseconds."""

    def __init__(self, database: Database, version: Version) -> None:
        self._database = database
        self._version = version
        database.create(SCHEMA)
        self.snapshot = Snapshot(database, "alertmanager_silence")

    def listing(self, now: int) -> list[Silence]:
        """All silences: active ones, the first to end first, then pending ones, then expired ones, latest first."""
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
        """Store a silence, or change or replace the one with its id; returns its new id.

        Raises ValueError if it is invalid, UnknownSilenceError if its id is unknown.
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
        """Expire a silence now; an expired one stays unchanged. Raises UnknownSilenceError if there is none."""
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
        self.snapshot.capture_if_due(silence.updated_at)
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
    assert isinstance(value, list)  # noqa: S101 - narrows a type
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
