"""Deliveries: one notification that arrived, and the alerts that it tells of. All times are epoch milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """The path a delivery came in by."""

    ALERTMANAGER = "alertmanager"
    SMN = "smn"
    HOOK = "hook"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a delivery. Marks are None where the payload does not carry them."""

    status: str | None = None
    """``firing`` or ``resolved``; None where the payload does not say."""
    name: str | None = None
    fingerprint: str | None = None
    stack: str | None = None
    address: str | None = None
    key: str | None = None
    run: str | None = None
    digest: str | None = None
    starts_at: int | None = None
    ends_at: int | None = None
    """None for an alert that fires, whatever the sender writes there."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request that a sender made, as it is stored."""

    source: Source
    identity: str
    """Equal for two requests that are the same delivery, sent again."""
    received_at: int
    body: bytes | None
    size: int
    """Bytes of the body, also where it is not kept."""
    alerts: tuple[Alert, ...] = ()
    receiver: str | None = None
    """The receiver by its sender's name: Alertmanager's receiver, an SMN topic, the name of a hook."""
    status: str | None = None
    message_id: str | None = None
    group_key: str | None = None
    truncated: int = 0
    """How many alerts the sender left out."""
    sent_at: int | None = None
    """The sender's time, where the payload has one."""
    sender: str | None = None
    """The sender's User-Agent."""
    peer: str | None = None
    """The address that the request came from."""
