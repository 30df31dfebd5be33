"""Rate limits of a process: one throttle per service, shared by all stacks and coordinated with other processes."""

from collections.abc import Mapping
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING

from reconciler.core.ledger_url import scheme
from reconciler.core.target import Target, canonical_endpoint
from reconciler.providers.protocol import Throttle

if TYPE_CHECKING:
    from reconciler.session.ledger_rates import LedgerRates


class RateLimits:
    """The throttles of a process, kept for its lifetime; thread-safe.

    ``workers`` processes do the same work, this one included; ``shared`` says that they share rate limits through the
    ledger if it supports that. Otherwise each uses an equal part. ``limits`` overrides the ``rate_limit`` of providers,
    by the text of their target.
    """

    def __init__(
        self, *, workers: int = 1, shared: bool = False, limits: Mapping[str, float] = MappingProxyType({})
    ) -> None:
        self._workers = workers
        self._is_shared = shared
        self._limits = limits
        self._lock = Lock()
        self._throttles: dict[tuple[str, float, str | None], Throttle] = {}
        self._in_ledgers: LedgerRates | None = None

    def throttle(
        self, target: Target, base_url: str, rate: float | None, *, ledger: str | None, share: bool = False
    ) -> Throttle | None:
        """The throttle of a service; None without a limit.

        ``ledger`` is the location of the stack's ledger; with ``share``, all runs that use it share the rate.
        """
        rate = self._limits.get(str(target), rate)
        if rate is None:
            return None
        name = str(target._replace(place=canonical_endpoint(base_url)))
        place = ledger if (share or self._is_shared) and ledger is not None and scheme(ledger) else None
        with self._lock:
            key = (name, rate, place)
            if key not in self._throttles:
                from reconciler.providers.throttle import throttle

                shared = None if place is None else self._shared().throttle(place, name, rate)
                self._throttles[key] = throttle(rate / self._workers) if shared is None else shared
            return self._throttles[key]

    def close(self) -> None:
        """Close connections; a throttle used later reconnects."""
        with self._lock:
            if self._in_ledgers is not None:
                self._in_ledgers.close()

    def _shared(self) -> "LedgerRates":
        if self._in_ledgers is None:
            from reconciler.session.ledger_rates import LedgerRates

            self._in_ledgers = LedgerRates()
        return self._in_ledgers
