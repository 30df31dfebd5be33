"""Patient queries: one that a service is too busy for is made again, after as long as the service says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import random
from threading import Event
from typing import TypeVar

from reconciler.core.clock import Clock
from reconciler.core.duration import rough_duration
from reconciler.core.retry import MAX_ATTEMPTS, MAX_WAIT_S, backoff
from reconciler.providers.protocol import ErrorKind, ServiceError

_Found = TypeVar("_Found")

_log = logging.getLogger(__name__)


def retry_while_busy(key: str, query: Callable[[], _Found], clock: Clock, stop: Event | None = None) -> _Found:
    """What a query of the provider ``key`` finds; it must read its whole answer before it returns.

    Raises ServiceError where the service can't be asked, is still busy at the last attempt, wants more than
    ``LONGEST_WAIT``, or where ``stop`` is set while waiting.
    """
    stop = stop or Event()
    for attempt in range(1, MAX_ATTEMPTS):
        try:
            return query()
        except ServiceError as error:
            pause = backoff(attempt, random) if error.retry_after is None else error.retry_after
            if error.kind is not ErrorKind.BUSY or pause > MAX_WAIT_S:
                raise
            _log.warning("%s: %s; asking again in %s", key, error, rough_duration(round(pause * 1000)))
            if clock.wait(pause, stop):
                raise
    return query()
