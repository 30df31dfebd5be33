"""Rate limits of a process: one throttle for each service, whichever stack asks it, in step with other processes."""

import logging
from collections.abc import Mapping
from functools import partial
from threading import Lock
from types import MappingProxyType
from typing import NamedTuple

from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.ledger_url import scheme
from reconciler.core.operation import ServiceErrorDetail
from reconciler.core.target import Target, canonical_endpoint
from reconciler.ledger.location import rates_at
from reconciler.ledger.rate import SharedRate
from reconciler.ledger.store import Rates
from reconciler.providers.protocol import ErrorKind, ServiceError, Throttle
from reconciler.providers.throttle import throttle

log = logging.getLogger(__name__)


class RatePolicy(NamedTuple):
    """Who asks the services beside this process.

    ``workers`` processes do the same work, this one included; ``shared`` says that they keep their rates in the ledger
    where that can be done. Otherwise each keeps to its part. ``limits`` overrides the ``rate_limit`` of providers, by
    the text of their target.
    """

    workers: int = 1
    shared: bool = False
    limits: Mapping[str, float] = MappingProxyType({})


ALONE = RatePolicy()
"""A process without others."""


class RateLimits:
    """The throttles of a process, kept as long as it lives; any number of threads may use it."""

    def __init__(self, policy: RatePolicy = ALONE) -> None:
        self._policy = policy
        self._lock = Lock()
        self._throttles: dict[tuple[str, float, str | None], Throttle] = {}
        self._rates: dict[str, Rates | None] = {}

    def throttle(
        self, target: Target, base_url: str, rate: float | None, *, ledger: str | None, share: bool = False
    ) -> Throttle | None:
        """The throttle of a service; None without a limit.

        ``ledger`` is the place of the stack's ledger; with ``share`` every run that has it keeps the rate together.
        """
        rate = self._policy.limits.get(str(target), rate)
        if rate is None:
            return None
        name = str(target._replace(place=canonical_endpoint(base_url)))
        place = ledger if (share or self._policy.shared) and ledger is not None and scheme(ledger) else None
        with self._lock:
            key = (name, rate, place)
            if key not in self._throttles:
                rates = None if place is None else self._rates_at(place)
                self._throttles[key] = (
                    throttle(rate / self._policy.workers)
                    if rates is None
                    else _LedgerThrottle(SharedRate(rate, partial(rates.buy, name)))
                )
            return self._throttles[key]

    def close(self) -> None:
        """Close what it opened; a throttle that is used later connects anew."""
        with self._lock:
            for rates in self._rates.values():
                if rates is not None:
                    rates.close()

    def _rates_at(self, place: str) -> Rates | None:
        if place not in self._rates:
            rates = rates_at(place)
            if rates is not None:
                try:
                    rates.check()
                except DiagnosticError as error:
                    rates.close()
                    rates = None
                    log.warning("rate limits are not shared: %s", error.diagnostics[0].summary)
            self._rates[place] = rates
        return self._rates[place]


class _LedgerThrottle:
    """A rate in a ledger; if that cannot be used, the request is not sent."""

    def __init__(self, rate: SharedRate) -> None:
        self._rate = rate

    def try_acquire(self) -> None:
        try:
            self._rate.try_acquire()
        except DiagnosticError as error:
            told = f"not sent, since its rate limit cannot be looked up: {error.diagnostics[0].summary}"
            raise ServiceError(ErrorKind.UNSENT, ServiceErrorDetail(told)) from error
