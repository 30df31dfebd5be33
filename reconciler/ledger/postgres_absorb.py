"""Absorbing shards in PostgreSQL: moves the journals that workers wrote in parallel into the journal of their stack.

A shard is a row of the table of stacks that names its parent. Rows are moved by changing their stack and number, so
that their text is not written again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

from psycopg import Connection, sql

from reconciler.ledger.codec import Row
from reconciler.ledger.postgres_link import NOW, PostgresLink
from reconciler.ledger.store import Shard, Stored

HOLDS: LiteralString = "stack = %s AND fence = %s AND owner IS NOT NULL"
"""The condition that a fence is the one of a stack's lease."""

_COPY: LiteralString = (
    "COPY {journal} (stack, number, stored_at, step, run, at, body, payloads, digest) FROM STDIN (FORMAT binary)"
)
_TYPES = ("text", "int8", "int8", "text", "text", "int8", "text", "text", "text")


def running(link: PostgresLink, shard: Shard | None) -> sql.Composable:
    """The condition that the stack's lease is still the one under which a shard was cut."""
    if shard is None:
        return sql.SQL("TRUE")
    return link.statement(
        "EXISTS (SELECT FROM {stack} AS whole WHERE whole.stack = {name} AND whole.fence = {fence}"
        " AND whole.owner IS NOT NULL AND whole.expires_at > {now})",
        name=sql.Literal(shard.stack),
        fence=sql.Literal(shard.fence),
        now=sql.SQL(NOW),
    )


def absorb(link: PostgresLink, stack: str, fence: int) -> int | None:
    """See ``reconciler.ledger.store.Shards.absorb``; once the shards are absorbed, doing it again changes nothing."""

    def work(connection: Connection[tuple[Any, ...]]) -> int | None:
        held = connection.execute(
            link.statement(f"SELECT last FROM {{stack}} WHERE {HOLDS} FOR UPDATE"),  # noqa: S608 - constants
            (stack, fence),
        ).fetchone()
        if held is None:
            return None
        last = int(held[0])
        found = connection.execute(
            link.statement(
                "SELECT stack, last FROM {stack} WHERE parent = %s ORDER BY length(stack), stack FOR UPDATE"
            ),
            (stack,),
        ).fetchall()
        for name, count in found:
            connection.execute(
                link.statement("UPDATE {journal} SET stack = %s, number = number + %s WHERE stack = %s"),
                (stack, last, name),
            )
            last += count
        connection.execute(link.statement("DELETE FROM {stack} WHERE parent = %s"), (stack,))
        connection.execute(link.statement("UPDATE {stack} SET last = %s WHERE stack = %s"), (last, stack))
        return last

    return link.repeated(work)


def is_cut(link: PostgresLink, stack: str) -> bool:
    """Whether a stack has shards."""
    return bool(link.rows(link.statement("SELECT 1 FROM {stack} WHERE parent = %s LIMIT 1"), (stack,)))


def add_rows(
    connection: Connection[tuple[Any, ...]], link: PostgresLink, name: str, rows: Sequence[Row], after: int
) -> None:
    """Add rows after the number ``after``, in the caller's transaction."""
    if not rows:
        return
    ((now,),) = connection.execute(sql.SQL("SELECT {}").format(sql.SQL(NOW)))
    copy_rows(connection, link, name, [Stored(number, now, row) for number, row in enumerate(rows, after + 1)])


def copy_rows(connection: Connection[tuple[Any, ...]], link: PostgresLink, name: str, rows: Iterable[Stored]) -> None:
    """Add rows with their existing numbers, in the caller's transaction."""
    with connection.cursor() as cursor, cursor.copy(link.statement(_COPY)) as copying:
        copying.set_types(_TYPES)
        for number, stored_at, row in rows:
            copying.write_row((name, number, stored_at, *row))
