"""Retries of queries: repeated if the service is busy or the connection is cut."""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import random
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from reconciler.core.duration import rough_duration
from reconciler.core.retry import RETRY
from reconciler.providers.protocol import ErrorKind, ServiceError

if TYPE_CHECKING:
    from reconciler.core.clock import Clock

_Found = TypeVar("_Found")


_log = logging.getLogger(__name__)


def retry_read(key: str, query: Callable[[], _Found], clock: Clock, stop: Event | None = None) -> _Found:
    """Run a query of the provider ``key``; it must read its whole response before it returns.

    It is repeated while the service is busy (429, 503) and if the connection is cut (502, 504 too), which is safe for a
    query. Raises ServiceError if it fails otherwise, at the last attempt, if the service asks for a longer wait than
    the policy accepts, or if ``stop`` is set while waiting.
    """
    stop = stop or Event()
    for attempt in range(1, RETRY.max_attempts):
        try:
            return query()
        except ServiceError as error:
            pause = RETRY.pause(attempt, error.retry_after, random)
            if not (error.kind is ErrorKind.BUSY or error.cut) or pause > RETRY.max_wait:
                raise
            _log.warning("%s: %s; querying again in %s", key, error, rough_duration(pause))
            if clock.pause(pause, stop):
                raise
    return query()
