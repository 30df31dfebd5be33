"""The journal store in PostgreSQL: many stacks in one schema, over connections that reconnect.

Each statement is its own transaction and leaves no session state, so that a pooler may use any connection for each.
Instants are those of ``clock_timestamp()``, in epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, LiteralString

from psycopg import sql

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.ledger.codec import Row
from reconciler.ledger.postgres_absorb import absorb, copy_rows, is_cut, running
from reconciler.ledger.postgres_link import NOW, PostgresLink
from reconciler.ledger.postgres_schema import prepare
from reconciler.ledger.protocol import Holder, LeaseLostError
from reconciler.ledger.store import Claim, Fence, Lease, Reading, Shard, Snapshot, StackState, Stored

_HOLDER = "owner, host, pid, acquired_at, expires_at, fence, pipeline, commit_id"

_TAKE: LiteralString = f"""
UPDATE {{stack}} SET fence = fence + 1, claim = %(id)s, owner = %(owner)s, host = %(host)s, pid = %(pid)s,
  process = %(process)s, pipeline = %(pipeline)s, commit_id = %(commit)s, acquired_at = {NOW},
  expires_at = {NOW} + %(lifetime)s
WHERE stack = %(stack)s AND claim IS DISTINCT FROM %(id)s
  AND (owner IS NULL OR expires_at <= {NOW} OR fence = %(over)s) AND {{running}}
RETURNING {_HOLDER}
"""  # noqa: S608 - constants

_MINE: LiteralString = f"SELECT {_HOLDER} FROM {{stack}} WHERE stack = %s AND claim = %s AND owner IS NOT NULL"  # noqa: S608 - constants

_LEASE: LiteralString = f"""
SELECT {_HOLDER}, process, expires_at <= {NOW} FROM {{stack}} WHERE stack = %s AND owner IS NOT NULL AND {{running}}
"""  # noqa: S608 - constants

_THERE: LiteralString = "SELECT 1 FROM {stack} WHERE stack = %s AND {running}"

_RENEW: LiteralString = f"""
UPDATE {{stack}} SET expires_at = {NOW} + %s WHERE stack = %s AND fence = %s AND owner IS NOT NULL AND {{running}}
RETURNING {_HOLDER}
"""  # noqa: S608 - constants

_RELEASE: LiteralString = "UPDATE {stack} SET owner = NULL, claim = NULL WHERE stack = %s AND fence = %s"

_UNLOCK: LiteralString = f"""
WITH held AS (SELECT {_HOLDER} FROM {{stack}} WHERE stack = %(stack)s AND owner IS NOT NULL FOR UPDATE),
freed AS (UPDATE {{stack}} SET owner = NULL, claim = NULL WHERE stack = %(stack)s AND EXISTS (SELECT FROM held))
SELECT {_HOLDER} FROM held
"""  # noqa: S608 - constants

_ROW = "({}::bigint, %s::text, %s::text, %s::bigint, %s::text, %s::text, %s::text)"

# The stack's row stays locked until commit: no other process can take the lease, or use the same numbers.
_APPEND: LiteralString = f"""
WITH held AS (
  UPDATE {{stack}} SET last = last + %s WHERE stack = %s AND last = %s AND {{fence}} RETURNING last - %s AS before
)
INSERT INTO {{journal}} (stack, number, stored_at, step, run, at, body, payloads, digest)
SELECT %s, held.before + r.place, {NOW}, r.step, r.run, r.at, r.body, r.payloads, r.digest
FROM held, (VALUES {{rows}}) AS r (place, step, run, at, body, payloads, digest)
"""  # noqa: S608 - constants

_FENCES: Mapping[bool | None, LiteralString] = {
    None: "TRUE",
    False: "fence = %s AND owner IS NOT NULL AND {running}",
    True: f"fence = %s AND owner IS NOT NULL AND expires_at > {NOW} AND {{running}}",
}

_COLUMNS: LiteralString = "step, run, at, body, payloads, digest"

# One extra row, without a number, has the clock and the last number given, so that it is returned even if no row is.
_READ: LiteralString = f"""
SELECT number, stored_at, {_COLUMNS} FROM {{journal}} WHERE stack = %s AND number > %s
UNION ALL
SELECT NULL, {NOW}, '', NULL, COALESCE((SELECT last FROM {{stack}} WHERE stack = %s), 0), '', NULL, NULL ORDER BY 1
"""  # noqa: S608 - constants


class PostgresStore:
    """See ``reconciler.ledger.store.JournalStore``; ``url`` is a libpq URL, whose ``schema`` names the schema.

    With ``reading`` nothing is created: if the tables or the stack are missing, they read as empty. Nothing is created
    for a ``shard`` either: it exists until it is absorbed.
    """

    def __init__(self, url: str, stack: str, *, reading: bool = False, shard: Shard | None = None) -> None:
        self._link = PostgresLink(url)
        self.label = self._link.label
        self._stack = stack
        self._shard = shard
        self._running = running(self._link, shard)
        self._exists = prepare(self._link, create=not reading)
        if not reading and shard is None:
            self._run("INSERT INTO {stack} (stack) VALUES (%s) ON CONFLICT DO NOTHING", stack)

    def take(self, claim: Claim, lifetime: int, over: int | None = None) -> Holder | None:
        values = {**claim._asdict(), "lifetime": lifetime, "over": over, "stack": self._stack}
        statement = self._link.statement(_TAKE, running=self._running)
        taken = self._link.rows(statement, values) or self._rows(_MINE, self._stack, claim.id)
        if not taken:
            if self._shard is not None and not self._rows(_THERE, self._stack):
                raise LeaseLostError(f"the lease on the stack {self._shard.stack} was lost, or the run is over")
            return None
        holder = Holder(*taken[0])
        if self._shard is None and is_cut(self._link, self._stack):
            absorb(self._link, self._stack, holder.fence)
        return holder

    def lease(self) -> Lease | None:
        found = self._rows(_LEASE, self._stack)
        return Lease(Holder(*found[0][:8]), *found[0][8:]) if found else None

    def renew(self, fence: int, lifetime: int) -> Holder | None:
        found = self._rows(_RENEW, lifetime, self._stack, fence)
        return Holder(*found[0]) if found else None

    def release(self, fence: int) -> None:
        self._run(_RELEASE, self._stack, fence)

    def unlock(self) -> Holder | None:
        found = self._link.rows(self._link.statement(_UNLOCK), {"stack": self._stack}) if self._exists else []
        return Holder(*found[0]) if found else None

    def append(self, rows: Sequence[Row], after: int, fence: Fence | None) -> bool:
        count = len(rows)
        statement = self._link.statement(
            _APPEND,
            fence=self._fence(fence),
            rows=sql.SQL(", ").join(sql.SQL(_ROW).format(place) for place in range(1, count + 1)),
        )
        fenced = () if fence is None else (fence.number,)
        values = (count, self._stack, after, *fenced, count, self._stack, *(value for row in rows for value in row))
        added = self._link.count(statement, values) > 0
        if not added and fence is None and self._shard is not None and not self.is_there():
            summary = f"the ledger {self.label} has no shard {self._stack} any more"
            raise DiagnosticError(Diagnostic(summary, hint="another run of the stack has taken over what it had begun"))
        return added

    def is_there(self) -> bool:
        """Whether the stack exists, or the shard still does."""
        return bool(self._rows("SELECT 1 FROM {stack} WHERE stack = %s", self._stack))

    def _fence(self, fence: Fence | None) -> sql.Composable:
        condition = _FENCES[None if fence is None else fence.running]
        return self._link.statement(condition, running=self._running)

    def read(self, after: int) -> Reading:
        if not self._exists:
            return Reading(self._link.now(), (), 0)
        found = self._rows(_READ, self._stack, after, self._stack)
        *rows, (_, now, _, _, last, *_) = found
        if self._shard is not None and not last:  # a shard has rows from the beginning
            raise LeaseLostError(f"the run is over: the shards of the stack {self._shard.stack} are absorbed")
        return Reading(now, [Stored(number, at, Row(*row)) for number, at, *row in rows], last)

    def fetch(self, numbers: Collection[int]) -> Mapping[int, Row]:
        found = self._rows(
            f"SELECT number, {_COLUMNS} FROM {{journal}} WHERE stack = %s AND number = ANY (%s)",  # noqa: S608 - constants
            self._stack,
            list(numbers),
        )
        return {number: Row(*row) for number, *row in found}

    def snapshot(self) -> Snapshot | None:
        found = self._rows("SELECT number, data FROM {snapshot} WHERE stack = %s", self._stack)
        return Snapshot(found[0][0], bytes(found[0][1])) if found else None

    def save_snapshot(self, snapshot: Snapshot) -> None:
        self._run(
            "INSERT INTO {snapshot} AS s (stack, number, data) VALUES (%s, %s, %s) ON CONFLICT (stack) DO UPDATE"
            " SET number = excluded.number, data = excluded.data WHERE s.number < excluded.number",
            self._stack,
            snapshot.number,
            snapshot.data,
        )

    def compact(self, rows: Sequence[Stored], snapshot: Snapshot, fence: Fence) -> bool:
        link = self._link
        with link.transaction() as connection:
            held = connection.execute(
                link.statement(
                    "UPDATE {stack} SET last = %s WHERE stack = %s AND last = %s AND {fence}",
                    fence=self._fence(fence),
                ),
                (snapshot.number, self._stack, snapshot.number - 1, fence.number),
            )
            if held.rowcount == 0:
                return False
            connection.execute(link.statement("DELETE FROM {journal} WHERE stack = %s"), (self._stack,))
            copy_rows(connection, link, self._stack, rows)
            connection.execute(
                link.statement(
                    "INSERT INTO {snapshot} (stack, number, data) VALUES (%s, %s, %s)"
                    " ON CONFLICT (stack) DO UPDATE SET number = excluded.number, data = excluded.data"
                ),
                (self._stack, snapshot.number, snapshot.data),
            )
        return True

    def document(self, name: str) -> str | None:
        found = self._rows("SELECT body FROM {document} WHERE stack = %s AND name = %s", self._stack, name)
        return str(found[0][0]) if found else None

    def documents(self, prefix: str) -> Mapping[str, str]:
        return dict(
            self._rows(
                "SELECT name, body FROM {document} WHERE stack = %s AND starts_with(name, %s) ORDER BY name",
                self._stack,
                prefix,
            )
        )

    def put_document(self, name: str, text: str) -> None:
        self._run(
            "INSERT INTO {document} (stack, name, body) VALUES (%s, %s, %s)"
            " ON CONFLICT (stack, name) DO UPDATE SET body = excluded.body",
            self._stack,
            name,
            text,
        )

    def delete_document(self, name: str) -> None:
        self._run("DELETE FROM {document} WHERE stack = %s AND name = %s", self._stack, name)

    def drop(self) -> None:
        self._run("DELETE FROM {stack} WHERE stack = %s OR parent = %s", self._stack, self._stack)

    def close(self) -> None:
        self._link.close()

    def _rows(self, statement: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        return self._link.rows(self._link.statement(statement, running=self._running), values) if self._exists else []

    def _run(self, statement: LiteralString, *values: object) -> None:
        self._link.count(self._link.statement(statement), values)


def list_stacks(url: str) -> list[StackState]:
    """Every stack of a shared ledger, sorted by name."""
    link = PostgresLink(url)
    try:
        if not prepare(link, create=False):
            return []
        # A reader does not migrate an older schema, which may not have the column "parent".
        found = link.rows(
            link.statement(
                f"SELECT stack, last, {_HOLDER}, process, expires_at <= {NOW},"  # noqa: S608 - constants
                " (SELECT stored_at FROM {journal} j WHERE j.stack = s.stack ORDER BY number DESC LIMIT 1)"
                " FROM {stack} s WHERE to_jsonb(s) ->> 'parent' IS NULL ORDER BY stack"
            ),
            (),
        )
    finally:
        link.close()
    return [
        StackState(row[0], row[1], None if row[2] is None else Lease(Holder(*row[2:10]), row[10], row[11]), row[12])
        for row in found
    ]
