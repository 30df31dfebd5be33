"""Shards of a stack in PostgreSQL: cut by the holder of its lease, each with its own journal and lease."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, LiteralString

from psycopg import Connection

from reconciler.ledger.codec import Row
from reconciler.ledger.postgres import PostgresStore
from reconciler.ledger.postgres_absorb import HOLDS, absorb, add_rows
from reconciler.ledger.postgres_link import NOW, PostgresLink
from reconciler.ledger.store import JournalStore, Shard

# Taking the lease waits until the shard is committed.
_RUNNING: LiteralString = f"SELECT 1 FROM {{stack}} WHERE {HOLDS} AND expires_at > {NOW} FOR SHARE"  # noqa: S608 - constants


class PostgresShards:
    """See ``reconciler.ledger.store.Shards``."""

    def __init__(self, url: str, stack: str) -> None:
        self._url, self._stack = url, stack
        self._link = PostgresLink(url)

    def cut(self, shard: Shard, rows: Sequence[Row]) -> bool:
        link = self._link

        def work(connection: Connection[tuple[Any, ...]]) -> bool:
            if connection.execute(link.statement(_RUNNING), (shard.stack, shard.fence)).fetchone() is None:
                return False
            made = connection.execute(
                link.statement("INSERT INTO {stack} (stack, parent, last) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"),
                (shard.name, shard.stack, len(rows)),
            )
            if made.rowcount:  # else the response to an earlier attempt was lost
                add_rows(connection, link, shard.name, rows, 0)
            return True

        return link.repeated(work)

    def open(self, shard: Shard) -> JournalStore | None:
        store = PostgresStore(self._url, shard.name, shard=shard)
        with ExitStack() as opened:
            opened.callback(store.close)
            if not store.is_there():
                return None
            opened.pop_all()
            return store

    def absorb(self, fence: int) -> int | None:
        return absorb(self._link, self._stack, fence)

    def close(self) -> None:
        self._link.close()
