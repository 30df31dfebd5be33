"""Deliveries: which notifications of alarms reached a receiver. All times are epoch milliseconds of our clock."""

from typing import NamedTuple, Protocol, runtime_checkable


class DeliveryQuery(NamedTuple):
    """A query for notifications of alarms with one of these idempotency keys, or fingerprints."""

    keys: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    receiver: str | None = None
    """The receiver, by its sender's name; None for any."""
    since: int = 0


class Arrival(NamedTuple):
    """One alarm in one notification that arrived."""

    key: str | None
    fingerprint: str | None
    status: str | None
    """``firing`` or ``resolved``; None if the notification does not say."""
    receiver: str | None
    received_at: int
    times: int = 1
    """How often it arrived: senders may repeat it."""


class Uptime(NamedTuple):
    """A period during which a receiver was running."""

    since: int
    until: int


class DeliveryLog(NamedTuple):
    """What a receiver has recorded, at ``asked_at``."""

    asked_at: int
    arrivals: tuple[Arrival, ...] = ()
    listening: tuple[Uptime, ...] = ()
    truncated: int = 0
    """Notifications from which the sender left alarms out."""

    def gap(self, since: int, until: int) -> Uptime | None:
        """The first period between two instants in which no receiver was running; None if there is none."""
        covered = since
        for span in sorted(self.listening):
            if span.since > covered:
                break
            covered = max(covered, span.until)
        if covered >= until:
            return None
        following = min((span.since for span in self.listening if span.since > covered), default=until)
        return Uptime(covered, min(following, until))


@runtime_checkable
class ProvesDelivery(Protocol):
    """A provider that knows which notifications of alarms were delivered."""

    def deliveries(self, query: DeliveryQuery) -> DeliveryLog:
        """The deliveries of these alarms. Raises ServiceError."""
