"""Polling: repeat a probe until an expectation holds, and has held for as long as it must (``within``, ``for``)."""

from collections.abc import Callable
from enum import StrEnum
from random import random
from threading import Event
from typing import NamedTuple

from reconciler.core.clock import Clock
from reconciler.core.duration import SECOND
from reconciler.core.retry import RETRY, poll_intervals
from reconciler.providers.protocol import ErrorKind, ServiceError

QUERY_RETRY_LIMIT = 10 * SECOND
"""How long (ms) a failed query is retried, even if the check has no ``within``."""


class CheckStatus(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """A query failed: that is never treated as an empty result."""
    INTERRUPTED = "interrupted"


class ProbeResult(NamedTuple):
    """One probe: whether the expectation holds, None if the query failed.

    ``permanent`` failures are not retried, ``transient`` ones may pass in a moment. ``retry_after`` is how long (ms)
    the service asks to wait.
    """

    holds: bool | None
    permanent: bool = False
    transient: bool = False
    retry_after: int = 0


class PollResult(NamedTuple):
    """The result of polling: ``attempts`` counts the probes, ``held_after`` says when (ms) it first held."""

    status: CheckStatus
    attempts: int
    held_after: int | None = None


def poll_until(
    probe: Callable[[], ProbeResult], clock: Clock, stop: Event, *, within: int = 0, hold: int = 0
) -> PollResult:
    """Probe until the expectation holds and has held for ``hold`` ms; it must begin to hold within ``within`` ms.

    If it ceases to hold while there is time left, it may begin again. A last probe is made at the end of each span. The
    ``Retry-After`` of a service is respected: up to ``RETRY.max_wait`` also beyond these spans, as often as in a plan.
    Spans are measured by the monotonic clock.
    """
    began = clock.monotonic()
    deadline = began + within
    retry_until = began + max(within, QUERY_RETRY_LIMIT)
    since: int | None = None
    first: int | None = None
    attempts = 0
    busy = 0
    pauses = poll_intervals()
    while True:
        result = probe()
        attempts += 1
        now = clock.monotonic()
        busy = busy + 1 if result.transient else 0
        pause = result.retry_after or (RETRY.backoff(busy, random) if busy else next(pauses))
        if result.holds:
            since = now if since is None else since
            first = now - began if first is None else first
            if now - since >= hold:
                return PollResult(CheckStatus.PASSED, attempts, first)
            until = since + hold
        else:
            if result.transient and since is not None:
                retry_until = max(retry_until, now + QUERY_RETRY_LIMIT)
            if result.retry_after and not RETRY.is_last(busy) and result.retry_after <= RETRY.max_wait:
                retry_until = max(retry_until, now + result.retry_after)
            since = None
            until = retry_until if result.transient else deadline
            # No retry before Retry-After has passed: if that is later than the deadline, the result is unknown.
            if result.permanent or now >= until or now + result.retry_after > until:
                return PollResult(CheckStatus.FAILED if result.holds is False else CheckStatus.UNKNOWN, attempts, first)
        if clock.pause(min(pause, max(until - now, 1)), stop):
            return PollResult(CheckStatus.INTERRUPTED, attempts, first)


def probe_failure(error: ServiceError) -> ProbeResult:
    """The result of a probe that ended in an error."""
    transient = error.kind in (ErrorKind.BUSY, ErrorKind.AMBIGUOUS)
    return ProbeResult(None, error.kind is ErrorKind.DENIED, transient, error.retry_after or 0)
