"""Retries of reading: a query that meets a busy service or a cut connection is made again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import random
from threading import Event
from typing import TypeVar

from reconciler.core.clock import Clock
from reconciler.core.duration import rough_duration
from reconciler.core.retry import RETRY
from reconciler.providers.protocol import ErrorKind, ServiceError

_Found = TypeVar("_Found")


_log = logging.getLogger(__name__)


def retry_read(key: str, query: Callable[[], _Found], clock: Clock, stop: Event | None = None) -> _Found:
    """What a query of the provider ``key`` finds; it must read its whole response before it returns.

    Repeated while the service is busy (429, 503) and when the connection is cut (502, 504 too); reading is safe to
    repeat. Raises ServiceError if it fails otherwise, at the last attempt, if the service wants a longer wait than
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
