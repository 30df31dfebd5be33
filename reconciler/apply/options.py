"""Options of an apply, and who watches it."""

from collections.abc import Callable, Mapping, Sequence
from random import random
from types import MappingProxyType
from typing import NamedTuple, Protocol

from reconciler.core.address import Address
from reconciler.core.duration import HOUR
from reconciler.core.operation import Outcome

DEADLINE = HOUR
"""How long (ms) a run may take before nothing new is sent."""


JOURNAL_AHEAD = 20
"""How many batches are journalled in one durable step, before they are sent and after they are answered: fewer waits
for the disk, and as safe. An outcome that a crash takes away is found again by a query.
"""

SHARED_JOURNAL_AHEAD = 60
"""The same in a ledger that is shared, where a step is a round trip over a network."""

BEGUN_AHEAD = 3
"""For each request to a service, how many batches are announced meanwhile to a ledger that is shared, and so a network
away. What is announced and not sent when a run dies is looked for like what was sent.
"""


def journal_ahead(*, shared: bool) -> int:
    """How many batches are journalled in one step."""
    return SHARED_JOURNAL_AHEAD if shared else JOURNAL_AHEAD


def begun_ahead(parallelism: int, *, shared: bool) -> int:
    """How many batches are announced for each request; none where requests go one after the other."""
    return BEGUN_AHEAD if shared and parallelism > 1 else 0


def flush_interval(*, shared: bool) -> float:
    """Seconds without an event after which the outcomes gathered so far are journalled."""
    return 0.05 if shared else 0.01


class Options(NamedTuple):
    """How a plan is carried out.

    ``parallelism`` overrides that of every provider. ``deadline`` is how long (ms) the run may take before nothing new
    is sent. ``draw`` gives the jitter of waits, in [0, 1).
    """

    parallelism: int | None = None
    verify: bool = True
    deadline: int = DEADLINE
    draw: Callable[[], float] = random


class Part(NamedTuple):
    """What is known of a plan that is a part of a larger run: the id of that run, who journals its beginning and end.

    ``intended`` are operations whose intents are journalled already. ``done`` are those that are done: they are neither
    sent nor waited for. ``needed`` is what the resources of the part wait for.
    """

    run: str
    intended: frozenset[str] = frozenset()
    done: frozenset[str] = frozenset()
    needed: Mapping[Address, Sequence[Address]] = MappingProxyType({})


class Progress(Protocol):
    """A watcher of one apply; its methods are called from one thread at a time."""

    def started(self, total: int) -> None:
        """The run begins, with this many operations to send."""

    def advanced(self, outcomes: Sequence[Outcome]) -> None:
        """These operations have ended."""

    def verifying(self, waiting: int, until: int) -> None:
        """Everything is sent; the effect of so many operations is not visible yet, and is waited for ``until`` then."""

    def report(self, text: str) -> None:
        """Something worth a line: a wait the service asked for, a batch being narrowed."""


class NullProgress:
    """The watcher for when nobody watches."""

    def started(self, total: int) -> None: ...

    def advanced(self, outcomes: Sequence[Outcome]) -> None: ...

    def verifying(self, waiting: int, until: int) -> None: ...

    def report(self, text: str) -> None: ...
