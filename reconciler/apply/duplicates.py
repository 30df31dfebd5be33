"""Duplicates: second alarms that a service without merging opens when an alarm is pushed again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from reconciler.apply.behaviour import LearnedBehaviour
from reconciler.apply.verify import doubled_pushes, observe_effects, shown_contents, visible_operations
from reconciler.core.clock import Clock
from reconciler.core.observed import Observed, State
from reconciler.core.operation import Operation
from reconciler.ledger.protocol import Ledger
from reconciler.plan.plan import Change
from reconciler.providers.protocol import Provider


class Duplicates:
    """Finds the duplicates of one run, and learns from them how each service behaves."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        ledger: Ledger,
        targets: Mapping[str, str],
        clock: Clock,
        report: Callable[[str], None],
    ) -> None:
        self._providers, self._ledger, self._clock = providers, ledger, clock
        self.behaviours = {key: LearnedBehaviour(ledger, key, targets.get(key), clock, report) for key in providers}
        self._decided: set[str] = set()
        self._doubled: set[str] = set()

    def learn_from(self, changes: Iterable[Change]) -> None:
        """Learn from duplicates that a plan clears."""
        for change in changes:
            if len(change.before) > 1 and change.provider in self.behaviours and _are_twins(change.before):
                self.behaviours[change.provider].learn(merges=False)

    def repeated(self, is_done: Callable[[str], bool] = lambda _: True) -> set[str]:
        """The keys of done alarms that were pushed again in doubt, if that may have opened duplicates."""
        return {key for behaviour in self.behaviours.values() for key in behaviour.in_doubt() if is_done(key)}

    def take_in(self, doubled: Mapping[str, frozenset[str]], shown: Iterable[str]) -> None:
        """Add the result of a verification: pushes by which two alarms fire, by provider, and all visible pushes."""
        for provider, keys in doubled.items():
            self._doubled |= keys
            self.behaviours[provider].learn_from(keys)
        self._decided |= self.repeated().intersection(shown)

    def query(self, pushed: Sequence[Operation], clears: Sequence[Operation], repeated: set[str]) -> list[Operation]:
        """Query pushes that ``clears`` follow or that were ``repeated``; returns the clears that are due."""
        wanted = {item.depends_on for item in clears} | repeated - self._decided
        looked_at = [item for item in pushed if item.key in wanted] if wanted else []
        due = list[Operation]()
        for key in {item.provider for item in looked_at}:
            pushes, following = ([item for item in some if item.provider == key] for some in (looked_at, clears))
            found = _query(self._providers[key], pushes, following)
            if found is not None:
                self._ledger.confirm(found.contents.keys(), self._clock.now(), found.contents)
                self._decided |= found.decided
                self.take_in({key: found.doubled}, found.contents)
                if found.merges is not None:
                    self.behaviours[key].learn(merges=found.merges)
                due += found.due
        return due

    def possible(self, suspects: set[str]) -> frozenset[str]:
        """Of these operations, the keys of those that may leave an alarm firing twice."""
        return frozenset(suspects - self._decided | self._doubled)


class _Sighting(NamedTuple):
    """The result of querying pushed alarms.

    ``contents`` is what the service shows of the visible pushes, as the ledger stores it. ``decided`` are the
    conditional clears whose push is visible; of these, ``due`` have a target that still fires beside it. ``doubled``
    are the keys of pushes by which two alarms fire. ``merges`` says what the service did with alarms that were active
    already; None if none of them is visible.
    """

    contents: Mapping[str, str]
    decided: frozenset[str]
    due: tuple[Operation, ...]
    doubled: frozenset[str]
    merges: bool | None


def _query(provider: Provider, pushes: Sequence[Operation], clears: Sequence[Operation]) -> _Sighting | None:
    """Query pushes, and the targets of the conditional clears that follow them; None if the query fails.

    Until a push is visible its clear is undecided: the active alarm may be about to be refreshed. Raises DeniedError.
    """
    found = observe_effects(provider, [*pushes, *clears])
    if found is None:
        return None
    shown = visible_operations([*pushes, *clears], found)
    told = [item for item in clears if item.depends_on in shown]
    carried = {item.id: item.marks.key for item in found if item.state is State.ACTIVE}
    beside = [carried[item.target] == item.depends_on for item in told if item.target in carried]
    return _Sighting(
        shown_contents(pushes, found),
        frozenset(item.key for item in told),
        tuple(item for item in told if item.key not in shown),
        doubled_pushes(found).intersection(item.key for item in pushes),
        all(beside) if beside else None,
    )


def _are_twins(found: Sequence[Observed]) -> bool:
    """Whether two of these active alarms are the same alarm pushed twice."""
    known = [(sorted(item.identity.items()), item.marks.stack, item.marks.address) for item in found]
    return any(one in known[:place] for place, one in enumerate(known))
