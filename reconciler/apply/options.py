"""Options of an apply, and its progress callbacks."""

from collections.abc import Callable, Mapping, Sequence
from random import random
from types import MappingProxyType
from typing import NamedTuple, Protocol

from reconciler.core.address import Address
from reconciler.core.duration import HOUR
from reconciler.core.operation import Outcome, Status

DEADLINE = HOUR
"""How long (ms) a run may take before nothing new is sent."""


JOURNAL_AHEAD = 20
"""How many batches are journalled in one durable step, before sending and after responses. Larger steps wait less for
the disk and are as safe: an outcome lost in a crash is found again by a query.
"""

SHARED_JOURNAL_AHEAD = 60
"""The same for a shared ledger, in which a step is a network round trip."""

BEGUN_AHEAD = 4
"""For each concurrent request, how many batches are marked as begun in advance, so that no worker waits for the
journal. If the run dies, those not sent are settled like those sent.
"""


def journal_ahead(*, shared: bool) -> int:
    """How many batches are journalled in one step."""
    return SHARED_JOURNAL_AHEAD if shared else JOURNAL_AHEAD


def begun_ahead(parallelism: int) -> int:
    """How many batches are marked as begun in advance for each request; none if requests are sequential."""
    return BEGUN_AHEAD if parallelism > 1 else 0


def flush_interval(*, shared: bool) -> float:
    """Seconds without an event after which the outcomes so far are journalled."""
    return 0.05 if shared else 0.01


class Options(NamedTuple):
    """How to carry out a plan.

    ``parallelism`` overrides that of every provider. ``deadline`` is how long (ms) the run may take before nothing new
    is sent. ``draw`` gives random numbers in [0, 1) for jitter.
    """

    parallelism: int | None = None
    verify: bool = True
    deadline: int = DEADLINE
    draw: Callable[[], float] = random


class Part(NamedTuple):
    """A plan that is a part of a larger run: the id of that run, whose beginning and end the caller journals.

    ``intended`` are operations whose intents are journalled already. ``done`` are those that are done: they are neither
    sent nor waited for. ``unanswered`` are the outcomes of those that may have been sent: neither they nor what depends
    on them is sent. ``needed`` are the dependencies of the part's resources.
    """

    run: str
    intended: frozenset[str] = frozenset()
    done: frozenset[str] = frozenset()
    unanswered: Mapping[str, Outcome] = MappingProxyType({})
    needed: Mapping[Address, Sequence[Address]] = MappingProxyType({})

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """The outcomes that are known before anything is sent."""
        return {**{key: Outcome(key, Status.DONE) for key in self.done}, **self.unanswered}


class Progress(Protocol):
    """The progress callbacks of one apply; called from one thread at a time."""

    def started(self, total: int) -> None:
        """The run begins, with this number of operations to send."""

    def advanced(self, outcomes: Sequence[Outcome]) -> None:
        """These operations have ended."""

    def completed(self, count: int) -> None:
        """So many operations are done: those of a shard, whose outcomes are not listed."""

    def verifying(self, waiting: int, until: int) -> None:
        """Everything is sent; waiting until ``until`` for the effects of this number of operations to become
        visible.
        """

    def report(self, text: str) -> None:
        """A message worth a line: a wait the service asked for, a batch being split."""


class NullProgress:
    """Ignores progress."""

    def started(self, total: int) -> None: ...

    def advanced(self, outcomes: Sequence[Outcome]) -> None: ...

    def completed(self, count: int) -> None: ...

    def verifying(self, waiting: int, until: int) -> None: ...

    def report(self, text: str) -> None: ...
