"""What a run learns about a service: whether it merges repeated pushes, and whether it rejects batches as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reconciler.core.clock import Clock
from reconciler.core.operation import Operation, Verb
from reconciler.ledger.protocol import Behaviour, Ledger

_OTHERWISE = {
    ("merges", False): "now opens a second alarm when one is pushed again",
    ("merges", True): "refreshes an alarm that is pushed again, which it did not before",
    ("rejects_whole", False): "stores the valid items of a batch that it rejects, which it did not before",
    ("rejects_whole", True): "stores nothing of a batch that it rejects, which it did before",
}


class LearnedBehaviour:
    """How the service of one provider behaves: what the ledger knows of its target, and what this run observes.

    It holds until the service is observed to behave otherwise, and only saves waits whose absence can be corrected: an
    alarm that was pushed twice is detected and cleared. An event that may be on record is waited for in any case.
    Thread-safe.
    """

    def __init__(self, ledger: Ledger, provider: str, target: str | None, clock: Clock, report: Callable[[str], None]):
        self._ledger, self._provider, self._target = ledger, provider, target
        self._clock, self._report = clock, report
        self._known: Behaviour | None = None
        self.repeated: set[str] = set()
        """The keys of alarms that were pushed again although an earlier push may have been stored."""
        self._rejected: set[str] = set()

    @property
    def known(self) -> Behaviour:
        if self._known is None:
            self._known = Behaviour() if self._target is None else self._ledger.behaviour(self._target)
        return self._known

    def learn(self, **seen: bool) -> None:
        """Record an observation (``merges``, ``rejects_whole``), in the ledger if it is new."""
        before = self.known
        self._known = before._replace(**seen)
        if self._known == before:
            return
        for name, value in seen.items():
            if getattr(before, name) is (not value):
                self._report(f"{self._provider} {_OTHERWISE[name, value]}")
        if self._target is not None:
            self._ledger.learn(self._target, self._known, self._clock.now())

    def repeat(self, operations: Iterable[Operation], *, rejected: bool = False) -> None:
        """Record that these are about to be sent again, after a batch was rejected or a response was lost."""
        keys = {item.key for item in operations if item.verb is Verb.PUSH and item.occurrence is None}
        self.repeated |= keys
        if rejected:
            self._rejected |= keys

    def in_doubt(self) -> frozenset[str]:
        """The keys of repeated pushes that may have opened second alarms."""
        return frozenset() if not self.repeated or self.known.merges else frozenset(self.repeated)

    def learn_from(self, doubled: frozenset[str]) -> None:
        """Learn from alarms that fire twice, by the keys of their pushes."""
        if doubled & self._rejected:
            self.learn(merges=False, rejects_whole=False)
        elif doubled:
            self.learn(merges=False)
