"""Settings: the receiver's address, the senders it trusts, and its limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.core.duration import DAY
from reconciler.core.system_clock import now

MIN_TOKEN = 16
"""The minimum length of a token."""
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of a receiver. Raises ValueError if they are inconsistent."""

    db: Path | str
    """An SQLite file, or the URL of a PostgreSQL database."""
    token: str = field(repr=False)
    """The token of queries."""
    sender_token: str | None = field(default=None, repr=False)
    """The token of Alertmanagers, as a bearer token or a password; None accepts any sender."""
    hooks: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Maps the name of each generic hook to its token."""
    hosts: frozenset[str] = frozenset()
    """Host names to serve, besides those of loopback."""

    smn_topics: frozenset[str] = frozenset()
    """URNs of the topics whose messages are accepted, and whose subscriptions are confirmed."""
    smn_hosts: frozenset[str] = frozenset()
    """Hosts, with a port if it is not 443, for certificates and confirmations, besides those of the regions."""
    smn_ca: Path | str | None = None
    """Certificate authorities for those hosts; None uses the default ones."""

    retention: int = 7 * DAY
    body_retention: int = DAY
    """How long (ms) bodies are kept; 0 keeps none."""
    max_deliveries: int = 1_000_000
    max_body: int = 4 * _MIB
    max_depth: int = 32
    max_rate: float = 5_000
    """Requests per second that each path accepts, on average; bursts may be twice as large."""
    max_pending: int = 10_000
    """The maximum number of deliveries waiting to be stored."""
    max_pending_bytes: int = 64 * _MIB
    """The maximum number of bytes of bodies in memory."""
    max_connections: int = 1_000
    body_timeout: float = 10.0
    """Seconds within which a body must arrive."""
    tls_certificate: Path | str | None = None
    tls_key: Path | str | None = None
    clock: Callable[[], int] = now

    def __post_init__(self) -> None:
        tokens = {"the query token": self.token, **{f"the token of hook {name}": t for name, t in self.hooks.items()}}
        if self.sender_token is not None:
            tokens["the sender token"] = self.sender_token
        for name, token in tokens.items():
            if len(token) < MIN_TOKEN:
                raise ValueError(f"{name} is shorter than {MIN_TOKEN} characters")
            if not (token.isascii() and token.isprintable()) or " " in token:
                raise ValueError(f"{name} has characters that an HTTP header cannot carry")
        if len(set(tokens.values())) < len(tokens):
            raise ValueError("two tokens are equal: senders must not be able to query")
        for topic in self.smn_topics:
            smn_region(topic)


def smn_region(topic: str) -> str:
    """The region of a topic, ``urn:smn:REGION:PROJECT:NAME``. Raises ValueError if it is invalid."""
    parts = topic.split(":")
    if len(parts) != 5 or parts[:2] != ["urn", "smn"] or not all(parts):
        raise ValueError(f"{topic!r} is not the URN of an SMN topic: expected urn:smn:REGION:PROJECT:NAME")
    if not parts[2].replace("-", "").isalnum():
        raise ValueError(f"{topic!r} is not the URN of an SMN topic: {parts[2]!r} is no region")
    return parts[2]
