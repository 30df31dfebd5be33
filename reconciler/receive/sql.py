"""SQL for both databases; only the parameter style differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from reconciler.receive.store import DeliveredAlert, Delivery, DeliveryQuery, DeliverySource, StoredDelivery

DELIVERY_COLUMNS = (
    "source, received_at, last_received_at, count, receiver, status, message_id, group_key, truncated, sent_at,"
    " sender, peer, size, total"
)
ALERT_COLUMNS = "status, name, fingerprint, stack, address, mark_key, run, digest, starts_at, ends_at"
MAX_ALERTS = 10_000
"""Alerts per page of deliveries."""

Row = Sequence[Any]
Placeholder = Callable[[str], str]
"""The parameter style: ``:name`` or ``%(name)s``."""


def delivery_row(delivery: Delivery) -> dict[str, object]:
    """The values of a delivery's row."""
    return {
        "identity": delivery.identity,
        "source": delivery.source.value,
        "received_at": delivery.received_at,
        "receiver": _clean(delivery.receiver),
        "status": delivery.status,
        "message_id": _clean(delivery.message_id),
        "group_key": _clean(delivery.group_key),
        "truncated": delivery.truncated,
        "sent_at": delivery.sent_at,
        "sender": _clean(delivery.sender),
        "peer": delivery.peer,
        "size": delivery.size,
        "total": len(delivery.alerts),
        "body": delivery.body,
    }


def alert_rows(number: int, alerts: Iterable[DeliveredAlert]) -> list[Row]:
    """The rows of a delivery's alerts."""
    return [
        (
            number,
            position,
            alert.status,
            _clean(alert.name),
            _clean(alert.fingerprint),
            _clean(alert.stack),
            _clean(alert.address),
            _clean(alert.key),
            _clean(alert.run),
            _clean(alert.digest),
            alert.starts_at,
            alert.ends_at,
        )
        for position, alert in enumerate(alerts)
    ]


def find_deliveries(query: DeliveryQuery, mark: Placeholder) -> tuple[str, dict[str, object]]:
    """The statement for a page of deliveries, plus one more."""
    conditions = [f"last_received_at >= {mark('since')}", f"id > {mark('after')}"]
    parameters: dict[str, object] = {"since": query.since, "after": query.after, "limit": query.limit + 1}
    if query.receiver is not None:
        conditions.append(f"receiver = {mark('receiver')}")
        parameters["receiver"] = _clean(query.receiver)
    if query.source is not None:
        conditions.append(f"source = {mark('source')}")
        parameters["source"] = query.source.value
    matching, values = _matching(query, mark)
    if matching:
        conditions.append(f"id IN (SELECT delivery FROM receiver_alert WHERE {' AND '.join(matching)})")  # noqa: S608 - constants
    return (
        f"SELECT id, {DELIVERY_COLUMNS} FROM receiver_delivery WHERE {' AND '.join(conditions)}"  # noqa: S608 - constants
        f" ORDER BY id LIMIT {mark('limit')}",
        parameters | values,
    )


def find_alerts(query: DeliveryQuery, numbers: Sequence[int], mark: Placeholder) -> tuple[str, dict[str, object]]:
    """The statement for the alerts of deliveries that match a query."""
    matching, values = _matching(query, mark)
    among = ", ".join(str(int(number)) for number in numbers)
    return (
        f"SELECT delivery, {ALERT_COLUMNS} FROM receiver_alert"  # noqa: S608 - constants
        f" WHERE {' AND '.join([f'delivery IN ({among})', *matching])} ORDER BY delivery, position LIMIT {MAX_ALERTS}",
        values,
    )


def count_truncated(query: DeliveryQuery, mark: Placeholder) -> tuple[str, dict[str, object]]:
    """The statement that counts deliveries from which the sender left alerts out."""
    sql = f"SELECT count(*) FROM receiver_delivery WHERE truncated > 0 AND last_received_at >= {mark('since')}"  # noqa: S608 - constants
    if query.receiver is None:
        return sql, {"since": query.since}
    return f"{sql} AND receiver = {mark('receiver')}", {"since": query.since, "receiver": _clean(query.receiver)}


def stored(rows: Iterable[Row], alert_rows: Iterable[Row]) -> tuple[StoredDelivery, ...]:
    """The deliveries in the rows of the statements above."""
    alerts = {
        number: tuple(DeliveredAlert(*row[1:]) for row in group)
        for number, group in groupby(alert_rows, key=lambda row: row[0])
    }
    return tuple(_stored(row, alerts.get(row[0], ())) for row in rows)


def _stored(row: Row, alerts: tuple[DeliveredAlert, ...]) -> StoredDelivery:
    columns = (*row, alerts)
    return StoredDelivery(columns[0], DeliverySource(columns[1]), *columns[2:])


def _matching(query: DeliveryQuery, mark: Placeholder) -> tuple[list[str], dict[str, object]]:
    wanted = {
        "mark_key": query.keys,
        "fingerprint": query.fingerprints,
        "stack": () if query.stack is None else (query.stack,),
        "address": () if query.address is None else (query.address,),
    }
    conditions: list[str] = []
    values: dict[str, object] = {}
    for column, texts in wanted.items():
        named = {f"{column}_{number}": _clean(text) for number, text in enumerate(texts)}
        values |= named
        if named:
            conditions.append(f"{column} IN ({', '.join(map(mark, named))})")
    return conditions, values


def _clean(text: str | None) -> str | None:
    """Text that both databases accept: no NUL, no lone surrogate."""
    if text is None:
        return None
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def tables(*, identity: str, integer: str, binary: str, options: str = "") -> str:
    """The statements that make the tables, in the types of a database; ``options`` are those of the alerts' table."""
    return f"""
CREATE TABLE IF NOT EXISTS receiver_delivery (
    id {identity},
    identity TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    received_at {integer} NOT NULL,
    last_received_at {integer} NOT NULL,
    count {integer} NOT NULL DEFAULT 1,
    receiver TEXT,
    status TEXT,
    message_id TEXT,
    group_key TEXT,
    truncated {integer} NOT NULL,
    sent_at {integer},
    sender TEXT,
    peer TEXT,
    size {integer} NOT NULL,
    total {integer} NOT NULL,
    body {binary}
);
CREATE INDEX IF NOT EXISTS receiver_delivery_by_time ON receiver_delivery (last_received_at);
CREATE INDEX IF NOT EXISTS receiver_delivery_truncated ON receiver_delivery (last_received_at) WHERE truncated > 0;
CREATE INDEX IF NOT EXISTS receiver_delivery_with_body ON receiver_delivery (received_at) WHERE body IS NOT NULL;
CREATE TABLE IF NOT EXISTS receiver_alert (
    delivery {integer} NOT NULL REFERENCES receiver_delivery ON DELETE CASCADE,
    position {integer} NOT NULL,
    status TEXT,
    name TEXT,
    fingerprint TEXT,
    stack TEXT,
    address TEXT,
    mark_key TEXT,
    run TEXT,
    digest TEXT,
    starts_at {integer},
    ends_at {integer},
    PRIMARY KEY (delivery, position)
){options};
CREATE INDEX IF NOT EXISTS receiver_alert_by_key ON receiver_alert (mark_key) WHERE mark_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS receiver_alert_by_fingerprint ON receiver_alert (fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX IF NOT EXISTS receiver_alert_by_address ON receiver_alert (stack, address) WHERE stack IS NOT NULL;
CREATE TABLE IF NOT EXISTS receiver_listening (since {integer} PRIMARY KEY, until {integer} NOT NULL);
"""
