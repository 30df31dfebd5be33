"""The lease, kept for as long as a run works (rule 11)."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import NamedTuple

from reconciler.core.clock import Clock
from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.duration import SECOND, in_seconds
from reconciler.core.origin import Origin
from reconciler.ledger.protocol import Holder, LeaseHeldError, LeaseLostError, Ledger

_log = logging.getLogger(__name__)

LIFETIME = 60 * SECOND
"""How long (ms) a lease outlives its holder's last sign of life."""


class Owner(NamedTuple):
    """Who asks for a lease, and in which pipeline at which commit, if in one."""

    name: str
    host: str
    pid: int
    pipeline: str | None = None
    commit: str | None = None

    @property
    def origin(self) -> Origin:
        return Origin(self.name, self.host, self.pipeline, self.commit)


def _ignore(_: Holder) -> None:
    pass


class LeaseWait(NamedTuple):
    """How long (ms) to wait for a lease that another run holds, and whom to tell, once for each holder."""

    timeout: int = 0
    told: Callable[[Holder], object] = _ignore


NO_WAIT = LeaseWait()
_POLL = SECOND


@contextmanager
def leased(ledger: Ledger, owner: Owner, clock: Clock, stop: Event, wait: LeaseWait = NO_WAIT) -> Iterator[Holder]:
    """Hold the stack's lease; raises LeaseHeldError if another run does, after waiting for it as long as ``wait`` says.

    A thread renews it; should it be lost all the same, ``stop`` is set: the ledger refuses every further intent.
    """
    holder = _acquire(ledger, owner, clock, stop, wait)
    ended = Event()

    def keep() -> None:
        while not ended.wait(in_seconds(LIFETIME // 3)):
            try:
                ledger.renew(holder, clock.now(), LIFETIME)
            except LeaseLostError:
                stop.set()
                return
            except DiagnosticError as error:  # the disk may have room again before the lease lapses
                _log.warning("the lease could not be renewed: %s", error)

    keeper = threading.Thread(target=keep, name="lease", daemon=True)
    keeper.start()
    try:
        yield holder
    finally:
        ended.set()
        keeper.join()
        try:
            ledger.release(holder)
        except DiagnosticError as error:  # it lapses by itself; what the run did must still be reported
            _log.warning("the lease could not be given back: %s", error)


def _acquire(ledger: Ledger, owner: Owner, clock: Clock, stop: Event, wait: LeaseWait) -> Holder:
    until = clock.monotonic() + wait.timeout
    fence = None
    while True:
        try:
            return ledger.acquire(
                owner.name, owner.host, owner.pid, clock.now(), LIFETIME, pipeline=owner.pipeline, commit=owner.commit
            )
        except LeaseHeldError as error:
            left = until - clock.monotonic()
            if left <= 0:
                raise
            if error.holder.fence != fence:
                fence = error.holder.fence
                wait.told(error.holder)
            if clock.pause(min(_POLL, left), stop):
                raise
