"""Rate limits in PostgreSQL: one row per service, with the time at which the next request may begin."""

from __future__ import annotations

from threading import Lock
from typing import LiteralString

from reconciler.ledger.postgres_link import PostgresLink
from reconciler.ledger.postgres_schema import prepare

_NOW = "extract(epoch FROM clock_timestamp())::double precision"

# A single statement is a single transaction: this works behind a pooler, and locks the row for as short as possible.
# The row and the clock are read again after the lock is granted.
_BUY: LiteralString = f"""
INSERT INTO {{rate}} AS r (name, free_at) VALUES (%(name)s, {_NOW} + %(span)s)
ON CONFLICT (name) DO UPDATE SET free_at = GREATEST(r.free_at, {_NOW}) + %(span)s
RETURNING GREATEST(0, free_at - %(span)s - {_NOW})
"""  # noqa: S608 - constants

_TRY: LiteralString = (
    "INSERT INTO {rate} SELECT name, free_at FROM {rate} WHERE false ON CONFLICT (name) DO UPDATE SET free_at = 0"
)


class PostgresRates:
    """See ``reconciler.ledger.store.Rates``: the rate limits of one schema, over one connection."""

    def __init__(self, url: str) -> None:
        self._link = PostgresLink(url)
        self._lock = Lock()

    def check(self) -> None:
        with self._lock:
            prepare(self._link, create=True)
            self._link.count(self._link.statement(_TRY), ())

    def buy(self, name: str, rate: float, count: int) -> float:
        values = {"name": name, "span": count / rate}
        with self._lock:
            return float(self._link.rows(self._link.statement(_BUY), values)[0][0])

    def close(self) -> None:
        with self._lock:
            self._link.close()
