"""The store of alarms and events: what a push opens, refreshes or ends, and when the effect becomes visible."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from html import escape
from typing import Any

from reconciler.emulator.aom.notifications import NotificationLog, NotificationRule
from reconciler.emulator.aom.report import MANDATORY, Report, mandatory_identity
from reconciler.emulator.database import Database
from reconciler.emulator.settings import Settings
from reconciler.emulator.wire import parse, text

FIRST_ID = 6_775_161_208_461_480_000
FIRST_SN = 1_283_514_476_372_426_755

OPEN = "type = 'alarm' AND cleared_at IS NULL AND expires_at > :now"
"""SQL: an active alarm. Events are never active (an assumption: the pages do not say)."""
ENDED = "type = 'alarm' AND (cleared_at IS NOT NULL OR expires_at <= :now)"
ENDS_AT = (
    "CASE WHEN cleared_at IS NOT NULL THEN cleared_at"
    " WHEN type = 'alarm' AND expires_at <= :now THEN expires_at ELSE 0 END"
)
"""SQL: the visible value of ``ends_at``, 0 until something ends the alarm."""
COLUMNS = f"seq, starts_at, {ENDS_AT}, timeout, metadata, annotations, attach_rule, arrives_at, enterprise_project"

Row = tuple[int, int, int, int, str, str, str, int, str]
"""The values of ``COLUMNS``."""


def id_of(seq: int) -> str:
    return str(FIRST_ID + seq)


def sn_of(seq: int) -> str:
    return str(FIRST_SN + seq)


def seq_of(identifier: str | None) -> int:
    """The number in an ``id``; -1, which no row has, if it is not one of this store's ids."""
    return _seq(identifier, FIRST_ID)


def seq_of_sn(serial: str) -> int:
    """The number in an ``event_sn``; -1 if it is not one of this store's."""
    return _seq(serial, FIRST_SN)


def _seq(value: str | None, first: int) -> int:
    if value is None or not value.isascii() or not value.isdecimal() or len(value) > 19:
        return -1
    return int(value) - first if int(value) > first else -1


def as_json(row: Row) -> str:
    """One event as JSON, as in Table 8 of the query page, built from the stored JSON texts."""
    seq, starts_at, ends_at, timeout, metadata, annotations, attach_rule, arrives_at, enterprise_project = row
    return (
        f'{{"starts_at":{starts_at},"ends_at":{ends_at},"timeout":{timeout},"metadata":{metadata},'
        f'"annotations":{annotations},"attach_rule":{attach_rule},"id":"{id_of(seq)}","event_sn":"{sn_of(seq)}",'
        f'"arrives_at":{arrives_at},"enterprise_project_id":{text(enterprise_project)},"policy":{{}}}}'
    )


SCHEMA = """
CREATE TABLE IF NOT EXISTS aom_event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    enterprise_project TEXT NOT NULL,
    type TEXT NOT NULL,
    severity TEXT NOT NULL,
    identity BLOB NOT NULL,
    metadata TEXT NOT NULL,
    words TEXT NOT NULL,            -- the metadata values, case folded, for the fuzzy search
    mandatory_words TEXT NOT NULL,
    annotations TEXT NOT NULL,
    attach_rule TEXT NOT NULL,
    starts_at INTEGER NOT NULL,
    arrives_at INTEGER NOT NULL,
    timeout INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,    -- when the service ends an alarm by itself
    cleared_at INTEGER              -- when somebody cleared it
);
CREATE INDEX IF NOT EXISTS aom_event_by_start ON aom_event (project, starts_at, seq);
CREATE INDEX IF NOT EXISTS aom_event_open_by_identity ON aom_event (project, identity)
    WHERE type = 'alarm' AND cleared_at IS NULL;
CREATE INDEX IF NOT EXISTS aom_event_open_by_start ON aom_event (project, starts_at, seq)
    WHERE type = 'alarm' AND cleared_at IS NULL;
CREATE TABLE IF NOT EXISTS aom_pending (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    due INTEGER NOT NULL,           -- when the write takes effect
    arrived INTEGER NOT NULL,
    clearing INTEGER NOT NULL,
    project TEXT NOT NULL,
    enterprise_project TEXT NOT NULL,
    reports TEXT NOT NULL
);
"""

_NORMALISE: dict[str, Callable[[str], str]] = {
    "keep": str,
    "trim": str.strip,
    "lower-case": str.lower,
    "escape": escape,
    "first-line": lambda each: each.partition("\n")[0],
}


class Store:
    """Alarms and events of all projects; every method takes the current time (epoch ms)."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = self._started_with = settings
        self.notifications = NotificationLog(database, settings)
        database.create(SCHEMA)

    def write(
        self, reports: list[Report], *, clearing: bool, project: str, enterprise_project: str, now: int, hidden_for: int
    ) -> None:
        """Accept a push or a clear; it becomes visible after ``hidden_for`` ms, and never before an earlier one."""
        delay = max(hidden_for, self._settings.visible_after)
        with self._database.write() as connection:
            self._apply_due(connection, now)
            queued: int | None = connection.execute(
                "SELECT max(due) FROM aom_pending WHERE project = ?", (project,)
            ).fetchone()[0]
            due = max(now + delay, queued or 0)
            if due <= now:
                self._apply(connection, reports, bool(clearing), project, enterprise_project, now)
                return
            connection.execute(
                "INSERT INTO aom_pending (due, arrived, clearing, project, enterprise_project, reports)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (due, now, clearing, project, enterprise_project, text([asdict(report) for report in reports])),
            )

    def catch_up(self, now: int) -> None:
        """Apply the writes that are due; call it before every read."""
        connection = self._database.connection
        if connection.execute("SELECT 1 FROM aom_pending WHERE due <= ? LIMIT 1", (now,)).fetchone():
            with self._database.write() as writing:
                self._apply_due(writing, now)

    def select(self, tail: str, parameters: dict[str, object]) -> Iterator[Row]:
        """The rows of ``SELECT COLUMNS FROM aom_event`` with a trusted SQL tail."""
        yield from self._database.connection.execute(f"SELECT {COLUMNS} FROM aom_event {tail}", parameters)  # noqa: S608 - constants

    def select_keyed(
        self, keys: Sequence[str], tail: str, parameters: dict[str, object]
    ) -> Iterator[tuple[Row, list[object]]]:
        """Like ``select``, each row with the values of further expressions."""
        sql = f"SELECT {COLUMNS}, {', '.join(keys)} FROM aom_event {tail}"  # noqa: S608 - constants
        for row in self._database.connection.execute(sql, parameters):
            yield row[:9], list(row[9:])

    def severities(self, tail: str, parameters: dict[str, object]) -> Iterator[tuple[str, int, int]]:
        """Severity, start and arrival of the rows that a trusted SQL tail selects."""
        sql = f"SELECT severity, starts_at, arrives_at FROM aom_event {tail}"  # noqa: S608 - constants
        yield from self._database.connection.execute(sql, parameters)

    def pending(self) -> list[dict[str, object]]:
        """The writes that are not visible yet, in the order in which they will be."""
        rows = self._database.connection.execute(
            "SELECT due, arrived, clearing, project, reports FROM aom_pending ORDER BY due, seq"
        )
        return [
            {
                "due": due,
                "arrived": arrived,
                "clearing": bool(clearing),
                "project_id": project,
                "events": parse(reports),
            }
            for due, arrived, clearing, project, reports in rows
        ]

    def project_of(self, seq: int) -> str | None:
        row = self._database.connection.execute("SELECT project FROM aom_event WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else str(row[0])

    def standing(self, now: int) -> list[tuple[str, bool]]:
        """The project of every stored object, oldest first, and whether it is an active alarm."""
        rows = self._database.connection.execute(f"SELECT project, {OPEN} FROM aom_event ORDER BY seq", {"now": now})  # noqa: S608 - constants
        return [(project, bool(active)) for project, active in rows]

    @property
    def rejects_whole(self) -> bool:
        """Whether a push with an invalid item is rejected as a whole."""
        return self._settings.on_bad_event == "reject-batch"

    def set_switches(self, switches: Mapping[str, Any]) -> None:
        """Change the behaviour from now on: ``on_repeat``, ``on_bad_event``."""
        self._settings = replace(self._settings, **switches)

    def reset(self) -> None:
        self._settings = self._started_with
        with self._database.write() as connection:
            connection.execute("DELETE FROM aom_event")
            connection.execute("DELETE FROM aom_pending")
        self.notifications.reset()

    def _apply_due(self, connection: sqlite3.Connection, now: int) -> None:
        due = connection.execute(
            "SELECT seq, arrived, clearing, project, enterprise_project, reports FROM aom_pending"
            " WHERE due <= ? ORDER BY due, seq",
            (now,),
        ).fetchall()
        for seq, arrived, clearing, project, enterprise_project, stored in due:
            value = parse(stored)
            reports = [Report(**each) for each in value] if isinstance(value, list) else []
            self._apply(connection, reports, bool(clearing), project, enterprise_project, arrived)
            connection.execute("DELETE FROM aom_pending WHERE seq = ?", (seq,))

    def _apply(
        self,
        connection: sqlite3.Connection,
        reports: list[Report],
        clearing: bool,
        project: str,
        enterprise_project: str,
        arrived: int,
    ) -> None:
        rules = self.notifications.rules()
        if clearing:
            for report in reports:
                self._end(connection, report, project, enterprise_project, arrived, rules)
            return
        for report in reports:
            self._open(connection, report, project, enterprise_project, arrived, rules)

    def _open(
        self,
        connection: sqlite3.Connection,
        report: Report,
        project: str,
        enterprise_project: str,
        arrived: int,
        rules: list[NotificationRule],
    ) -> None:
        settings = self._settings
        metadata, identity = report.metadata, report.identity
        starts_at = arrived if report.starts_at is None else report.starts_at
        timeout = settings.default_timeout if report.timeout is None else report.timeout
        alarm = metadata["event_type"] == "alarm"
        if alarm and settings.on_repeat == "merge":
            active = self._merged_into(connection, report, project, enterprise_project, arrived)
            if active:
                seq, first_start = active
                if settings.merged_start == "first":
                    starts_at = first_start
                connection.execute(
                    "UPDATE aom_event SET identity = ?, metadata = ?, words = ?, annotations = ?, attach_rule = ?,"
                    " starts_at = ?, arrives_at = ?, timeout = ?, expires_at = ?, cleared_at = ? WHERE seq = ?",
                    (
                        identity,
                        text(metadata),
                        "\n".join(metadata.values()).casefold(),
                        text(self._normalised(report.annotations)),
                        text(report.attach_rule),
                        starts_at,
                        arrived,
                        timeout,
                        self._expiry(starts_at, arrived, timeout),
                        report.ends_at or None,
                        seq,
                    ),
                )
                return
        cursor = connection.execute(
            "INSERT INTO aom_event (project, enterprise_project, type, severity, identity, metadata, words,"
            " mandatory_words, annotations, attach_rule, starts_at, arrives_at, timeout, expires_at, cleared_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                project,
                enterprise_project,
                metadata["event_type"],
                metadata["event_severity"],
                identity,
                text(metadata),
                "\n".join(metadata.values()).casefold(),
                "\n".join(metadata[key] for key in MANDATORY).casefold(),
                text(self._normalised(report.annotations)),
                text(report.attach_rule),
                starts_at,
                arrived,
                timeout,
                self._expiry(starts_at, arrived, timeout),
                report.ends_at or None,
            ),
        )
        if alarm and cursor.lastrowid is not None:
            told = {
                "starts_at": starts_at,
                "ends_at": 0,
                "metadata": metadata,
                "annotations": self._normalised(report.annotations),
            }
            self.notifications.send(connection, rules, cursor.lastrowid, told, arrived)

    def _normalised(self, value: object) -> object:
        """The value of an annotation as it is stored."""
        if isinstance(value, dict):
            return {key: self._normalised(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._normalised(each) for each in value]
        return _NORMALISE[self._settings.annotation_texts](value) if isinstance(value, str) else value

    def _merged_into(
        self, connection: sqlite3.Connection, report: Report, project: str, enterprise_project: str, now: int
    ) -> tuple[int, int] | None:
        """Number and start of the active alarm that a repeated push refreshes; None if the push opens a new one."""
        parameters = {"now": now, "project": project, "enterprise_project": enterprise_project}
        here = f"{OPEN} AND project = :project AND enterprise_project = :enterprise_project"
        if self._settings.merge_on == "metadata":
            found: tuple[int, int] | None = connection.execute(
                f"SELECT seq, starts_at FROM aom_event WHERE {here} AND identity = :identity ORDER BY seq DESC LIMIT 1",  # noqa: S608 - constants
                {**parameters, "identity": report.identity},
            ).fetchone()
            return found
        wanted = mandatory_identity(report.metadata)
        rows = connection.execute(
            f"SELECT seq, starts_at, metadata FROM aom_event WHERE {here} ORDER BY seq DESC",  # noqa: S608 - constants
            parameters,
        )
        for seq, starts_at, metadata in rows:
            shown = parse(metadata)
            if isinstance(shown, dict) and mandatory_identity({key: str(shown[key]) for key in MANDATORY}) == wanted:
                return seq, starts_at
        return None

    def _expiry(self, starts_at: int, arrived: int, timeout: int) -> int:
        return (starts_at if self._settings.timeout_from == "start" else arrived) + timeout

    def _end(
        self,
        connection: sqlite3.Connection,
        report: Report,
        project: str,
        enterprise_project: str,
        arrived: int,
        rules: list[NotificationRule],
    ) -> None:
        parameters: dict[str, object] = {
            "now": arrived,
            "ended": report.ends_at or arrived,
            "project": project,
            "enterprise_project": enterprise_project,
            "identity": report.identity,
            "seq": seq_of(report.id),
        }
        if report.id is None:
            which = "identity = :identity AND enterprise_project = :enterprise_project"
        elif self._settings.clear_by == "id":
            which = "seq = :seq"
        else:
            which = "seq = :seq AND identity = :identity"
        ended = connection.execute(
            f"UPDATE aom_event SET cleared_at = :ended WHERE {OPEN} AND project = :project AND {which}"  # noqa: S608 - constants
            " RETURNING seq, starts_at, cleared_at, metadata, annotations",
            parameters,
        ).fetchall()
        for seq, starts_at, ends_at, metadata, shown in ended if any(rule.cleared for rule in rules) else ():
            told = {"starts_at": starts_at, "ends_at": ends_at}
            told |= {"metadata": parse(metadata), "annotations": parse(shown)}
            self.notifications.send(connection, rules, seq, told, arrived)
