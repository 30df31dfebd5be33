"""The lease, held and renewed while a run works (rule 11)."""

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
"""The lifetime (ms) of a lease after its last renewal."""


class Owner(NamedTuple):
    """The identity of a run that takes a lease, with its pipeline and commit, if any."""

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
    """How long (ms) to wait for a lease that another run holds, and a callback for each holder."""

    timeout: int = 0
    told: Callable[[Holder], object] = _ignore


_NO_WAIT = LeaseWait()
_POLL = SECOND


@contextmanager
def leased(ledger: Ledger, owner: Owner, clock: Clock, stop: Event, wait: LeaseWait | None = None) -> Iterator[Holder]:
    """Hold the stack's lease while the block runs. Raises LeaseHeldError if another run holds it, after waiting per
    ``wait``, if any.

    A thread renews it; if it is lost all the same, ``stop`` is set, and the ledger refuses every further intent.
    """
    holder = _acquire(ledger, owner, clock, stop, wait or _NO_WAIT)
    ended = Event()

    def keep() -> None:
        while not ended.wait(in_seconds(LIFETIME // 3)):
            try:
                ledger.renew(holder, clock.now(), LIFETIME)
            except LeaseLostError:
                stop.set()
                return
            except DiagnosticError as error:  # the disk may have space again before the lease expires
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
        except DiagnosticError as error:  # it expires by itself; the run's result must still be reported
            _log.warning("the lease could not be released: %s", error)


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
