"""Watching: look again and again until an expectation holds, for as long as it must (``within`` and ``for``)."""

from collections.abc import Callable
from enum import StrEnum
from random import random
from threading import Event
from typing import NamedTuple

from reconciler.core.clock import Clock
from reconciler.core.duration import SECOND
from reconciler.core.retry import MAX_ATTEMPTS, MAX_WAIT_S, backoff, poll_intervals
from reconciler.providers.protocol import ErrorKind as Meaning
from reconciler.providers.protocol import ServiceError

QUERY_RETRY_LIMIT = 10 * SECOND
"""How long (ms) a service that could not answer is asked again, even where a check says nothing of waiting."""


class CheckStatus(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """A service could not be asked: that is never taken for finding nothing."""
    INTERRUPTED = "interrupted"


class ProbeResult(NamedTuple):
    """One look: whether the expectation holds, None where it could not be asked about.

    ``final`` says that asking again is of no use, ``passing`` that what was in the way may pass in a moment. ``pause``
    is how long (s) the service wants to be left alone.
    """

    holds: bool | None
    final: bool = False
    passing: bool = False
    pause: float = 0.0


class PollResult(NamedTuple):
    """How it went: ``looks`` is how often was looked, ``held_after`` after how long (ms) it first held."""

    verdict: CheckStatus
    looks: int
    held_after: int | None = None


def poll_until(
    look: Callable[[], ProbeResult], clock: Clock, stop: Event, *, within: int = 0, hold: int = 0
) -> PollResult:
    """Look until it holds, and has held for ``hold`` ms at every look; it must begin to hold within ``within`` ms.

    Where it ceases to hold while there is time left, it may begin anew. At the end of each span a last look is taken. A
    service that names a pause gets it: up to ``LONGEST_WAIT`` s also beyond these spans, as often as a plan would wait.
    """
    began = clock.now()
    deadline = began + within
    patience = began + max(within, QUERY_RETRY_LIMIT)
    since: int | None = None
    first: int | None = None
    looks = 0
    busy = 0
    pauses = poll_intervals()
    while True:
        sight = look()
        looks += 1
        now = clock.now()
        busy = busy + 1 if sight.passing else 0
        pause = sight.pause or (backoff(busy, random) if busy else next(pauses))
        if sight.holds:
            since = now if since is None else since
            first = now - began if first is None else first
            if now - since >= hold:
                return PollResult(CheckStatus.PASSED, looks, first)
            until = since + hold
        else:
            if sight.passing and since is not None:
                patience = max(patience, now + QUERY_RETRY_LIMIT)
            if sight.pause and busy < MAX_ATTEMPTS and sight.pause <= MAX_WAIT_S:
                patience = max(patience, now + round(sight.pause * 1000))
            since = None
            until = patience if sight.passing else deadline
            # Nothing is asked again before its time: a service that wants longer than there is can't be asked.
            if sight.final or now >= until or now + sight.pause * 1000 > until:
                return PollResult(CheckStatus.FAILED if sight.holds is False else CheckStatus.UNKNOWN, looks, first)
        left = max(until - now, 1) / 1000
        if clock.wait(min(pause, left), stop):
            return PollResult(CheckStatus.INTERRUPTED, looks, first)


def probe_failure(error: ServiceError) -> ProbeResult:
    """What a look is worth that ended in an error."""
    passing = error.kind in (Meaning.BUSY, Meaning.AMBIGUOUS)
    return ProbeResult(None, error.kind is Meaning.DENIED, passing, error.retry_after or 0.0)
