"""The replica: a shared ledger's journal as a SQLite ledger in memory, so that every store answers the same queries.

Replayed rows are stored without the parts that queries rarely need; these are fetched on demand.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping

from reconciler.ledger import schema
from reconciler.ledger.codec import Row, encode, encode_origin
from reconciler.ledger.database import connect
from reconciler.ledger.projection import project
from reconciler.ledger.protocol import Run, RunState
from reconciler.ledger.queries import is_behind
from reconciler.ledger.store import Snapshot, Stored

_THIN = """
UPDATE journal SET payloads = '', body = '{"provider":' || json_extract(body, '$.provider') || '}'
WHERE step = 'intend' AND payloads != ''
"""

_DONE_WITH = """
DELETE FROM journal WHERE step IN ('settle', 'confirm', 'learn')
  OR (step = 'begin' AND number NOT IN
    (SELECT begun FROM operations WHERE begun IS NOT NULL AND (status IS NULL OR status = 'unknown')))
"""

_RUN = """
INSERT INTO runs (number, id, plan_id, command, started_at, ended_at, state, targets, origin)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET plan_id = excluded.plan_id, command = excluded.command,
  ended_at = excluded.ended_at, state = excluded.state, targets = excluded.targets, origin = excluded.origin
"""


class Replica:
    """The journal of one stack up to row ``last``."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        """Raises ValueError if the snapshot is incomplete, or was written by a newer version."""
        self._begin(snapshot)

    def restart(self, snapshot: Snapshot) -> None:
        """Reset to a snapshot. Raises ValueError like the constructor."""
        self.connection.close()
        self._begin(snapshot)

    def _begin(self, snapshot: Snapshot | None) -> None:
        self.connection = connect(":memory:")
        self.last = 0
        if snapshot is not None:
            self._load(snapshot)
        schema.migrate(self.connection)
        # A run or an intent that a prune removed may still be referenced.
        self.connection.execute("PRAGMA foreign_keys = OFF")
        found = self.connection.execute("SELECT id, number FROM runs")
        self.runs: dict[str, int] = dict(found.fetchall())
        self.unprojected_bytes = 0

    def _load(self, snapshot: Snapshot) -> None:
        try:
            self.connection.deserialize(zlib.decompress(snapshot.data))
            found = schema.version(self.connection)
        except (zlib.error, sqlite3.Error) as error:
            raise ValueError(f"a snapshot is damaged ({error})") from error
        if found > schema.VERSION:
            raise ValueError(f"its snapshot was written by a newer reconciler: format {found}")
        self.last = snapshot.number

    def add(self, rows: Iterable[Stored], *, are_ours: bool = False) -> None:
        """Add the next rows. Raises ValueError for one that was altered, unless this process has just sealed them."""
        connection = self.connection
        connection.execute("BEGIN")
        try:
            for number, stored_at, row in rows:
                if not are_ours:
                    row.check()
                self._add(connection, number, stored_at, row, are_ours=are_ours)
                self.last = number
        finally:
            connection.execute("COMMIT")

    def load(self, rows: Iterable[Row]) -> None:
        """Load a whole journal, numbered from 1; the times at which rows were stored are unknown."""
        self.add(Stored(number, None, row) for number, row in enumerate(rows, 1))

    def _add(
        self, connection: sqlite3.Connection, number: int, stored_at: int | None, row: Row, *, are_ours: bool
    ) -> None:
        if row.step == "run":
            connection.execute(_RUN, (number, row.run, *json.loads(row.body)))
            self.runs.setdefault(str(row.run), number)
        elif row.step == "end":
            state, ended_at = json.loads(row.body)
            connection.execute("UPDATE runs SET state = ?, ended_at = ? WHERE id = ?", (state, ended_at, row.run))
        elif row.step in ("intend", "begin", "settle", "confirm", "learn"):
            begun = row.step == "begin" and stored_at is not None
            body = f'{row.body[:-1]},"stored":{stored_at:d}}}' if begun else row.body
            kept = row._replace(run=self._number(row), body=body)
            if not are_ours:  # nobody asks for the digest of ours: they are thinned before they are queried
                kept = kept.sealed()
            connection.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)", (number, *kept))
            self.unprojected_bytes += len(row.body) + len(row.payloads or "")
        else:
            raise ValueError(f"row {number} has an unknown step: a newer reconciler wrote it")

    def restore(self, rows: Mapping[int, Row]) -> None:
        """Restore the missing parts of thin rows."""
        for number, row in rows.items():
            row.check()
            kept = row._replace(run=self._number(row)).sealed()
            self.connection.execute(
                "UPDATE journal SET body = ?, payloads = ?, digest = ? WHERE number = ?",
                (kept.body, kept.payloads, kept.digest, number),
            )

    def _number(self, row: Row) -> int | None:
        if row.run is None:
            return None
        if row.run not in self.runs:
            raise ValueError(f"the run {row.run} of a row is missing")
        return self.runs[str(row.run)]

    def project(self) -> None:
        """Replay the rows that were added, and thin them; each was checked when it was added."""
        if not is_behind(self.connection):
            return
        self.connection.execute("BEGIN")
        try:
            project(self.connection, are_checked=True)
            self.connection.execute(_THIN)
            self.connection.execute(_DONE_WITH)
            self.connection.execute("COMMIT")
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.unprojected_bytes = 0

    def snapshot(self) -> Snapshot:
        """The state of all rows so far."""
        self.project()
        self.connection.execute(_THIN)
        self.connection.execute("VACUUM")
        return Snapshot(self.last, zlib.compress(self.connection.serialize(), 1))

    def close(self) -> None:
        self.connection.close()


def run_row(run: Run, now: int) -> Row:
    """The row that begins a run."""
    targets = encode(dict(run.targets)) if run.targets else None
    fields = (run.plan_id, run.command, run.started_at, run.ended_at, run.state.value, targets)
    return Row("run", run.id, now, encode([*fields, encode_origin(run.origin)]))


def end_row(run: str, state: RunState, now: int) -> Row:
    """The row that ends a run."""
    return Row("end", run, now, encode([state.value, now]))
