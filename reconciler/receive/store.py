"""The storage protocol: deliveries, and the operations that the receiver needs from a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class DeliverySource(StrEnum):
    """The path on which a delivery arrived."""

    ALERTMANAGER = "alertmanager"
    SMN = "smn"
    HOOK = "hook"


@dataclass(frozen=True, slots=True)
class DeliveredAlert:
    """One alert of a delivery. Marks are None if the payload does not have them."""

    status: str | None = None
    """``firing`` or ``resolved``; None if the payload does not say."""
    name: str | None = None
    fingerprint: str | None = None
    stack: str | None = None
    address: str | None = None
    key: str | None = None
    run: str | None = None
    digest: str | None = None
    starts_at: int | None = None
    ends_at: int | None = None
    """None for a firing alert, whatever the sender writes."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request of a sender, as it is stored."""

    source: DeliverySource
    identity: str
    """Equal for two requests that are the same delivery, sent again."""
    received_at: int
    body: bytes | None
    size: int
    """The size of the body in bytes, even if it is not kept."""
    alerts: tuple[DeliveredAlert, ...] = ()
    receiver: str | None = None
    """The receiver by its sender's name: Alertmanager's receiver, an SMN topic, the name of a hook."""
    status: str | None = None
    message_id: str | None = None
    group_key: str | None = None
    truncated: int = 0
    """How many alerts the sender left out."""
    sent_at: int | None = None
    """The sender's time, if the payload has one."""
    sender: str | None = None
    """The sender's User-Agent."""
    peer: str | None = None
    """The address of the sender."""


class StoreError(Exception):
    """The database failed; nothing of the batch is stored."""


@dataclass(frozen=True, slots=True)
class DeliveryQuery:
    """Which deliveries to find; None, and no key or fingerprint, match any."""

    keys: tuple[str, ...] = ()
    """Deliveries with an alert that has one of these."""
    fingerprints: tuple[str, ...] = ()
    stack: str | None = None
    address: str | None = None
    receiver: str | None = None
    source: DeliverySource | None = None
    since: int = 0
    """Deliveries that arrived, or arrived again, at this time or later."""
    after: int = 0
    """Deliveries with a greater id: the start of the next page."""
    limit: int = 100


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A delivery that a query found; ``alerts`` are those that match, ``total`` counts all of them."""

    id: int
    source: DeliverySource
    received_at: int
    last_received_at: int
    count: int
    receiver: str | None
    status: str | None
    message_id: str | None
    group_key: str | None
    truncated: int
    sent_at: int | None
    sender: str | None
    peer: str | None
    size: int
    total: int
    alerts: tuple[DeliveredAlert, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The result of a query, oldest first."""

    deliveries: tuple[StoredDelivery, ...]
    more: bool
    """Whether there is another page."""
    truncated: int
    """Deliveries since ``since``, to the same receiver, from which the sender left alerts out, possibly
    matching ones.
    """


@dataclass(frozen=True, slots=True)
class Listening:
    """A period during which a receiver was running."""

    since: int
    until: int


@dataclass(frozen=True, slots=True)
class RetentionLimits:
    """The retention limits: ages in milliseconds, and a number of deliveries."""

    retention: int
    body_retention: int
    deliveries: int


class DeliveryStore(Protocol):
    """Stores deliveries. ``add``, ``beat`` and ``expire`` are called by one thread, the others by any."""

    def add(self, batch: Sequence[Delivery]) -> list[bool]:
        """Store a batch durably, in one transaction; returns for each whether it is new, not a repeat."""

    def find(self, query: DeliveryQuery) -> Page:
        """Deliveries with an alert that matches."""

    def body(self, number: int) -> bytes | None:
        """The body of a delivery; None if there is none, or it was removed."""

    def beat(self, started: int, now: int) -> None:
        """Record that the receiver that started then is running now."""

    def listening(self, since: int) -> list[Listening]:
        """When a receiver was running, oldest first, limited to periods that ended at ``since`` or later."""

    def expire(self, now: int, limits: RetentionLimits) -> bool:
        """Remove some of what exceeds the limits; returns whether there may be more."""

    def close(self) -> None: ...


def open_store(db: Path | str) -> DeliveryStore:
    """A store in a file, or in the PostgreSQL database of a URL. Raises ValueError if it cannot be used."""
    if is_postgres(db):
        from reconciler.receive.postgres import PostgresDeliveryStore

        return PostgresDeliveryStore(str(db))
    from reconciler.receive.sqlite import SqliteDeliveryStore

    return SqliteDeliveryStore(db)


def is_postgres(db: Path | str) -> bool:
    return str(db).startswith(("postgres://", "postgresql://"))
