"""Rate limits that the processes of a shared ledger keep together."""

import logging
from functools import partial

from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.operation import ServiceErrorDetail
from reconciler.ledger.kinds import rates_at
from reconciler.ledger.rate import SharedRate
from reconciler.ledger.store import Rates
from reconciler.providers.protocol import ErrorKind, ServiceError, Throttle

log = logging.getLogger(__name__)


class LedgerRates:
    """The rates in the shared ledgers of a process, by the URL of the ledger; used by one thread at a time."""

    def __init__(self) -> None:
        self._rates: dict[str, Rates | None] = {}

    def throttle(self, place: str, name: str, rate: float) -> Throttle | None:
        """A throttle that everyone with this ledger keeps together; None if the ledger cannot hold rates."""
        rates = self._rates_at(place)
        return None if rates is None else _LedgerThrottle(SharedRate(rate, partial(rates.buy, name)))

    def close(self) -> None:
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
