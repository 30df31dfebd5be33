"""The plan: all changes and what they were computed from; a value."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.observed import Observed, is_unmanaged
from reconciler.core.operation import Operation, Verb
from reconciler.core.target import Target

PUSH_FIRST_SIGN = "+/-"
"""The sign of a replace that pushes before it clears."""


class Selection(NamedTuple):
    """Which addresses a plan covers: only ``targets`` (if any), without ``exclude``; active alarms at ``replace`` are
    raised again.
    """

    targets: tuple[Address, ...] = ()
    exclude: tuple[Address, ...] = ()
    replace: tuple[Address, ...] = ()


ALL = Selection()


class Difference(NamedTuple):
    """One attribute that differs, by a path like ``metadata.event_severity``; None if a side does not have it."""

    path: str
    old: object
    new: object
    forces_replace: bool = False


class Change(NamedTuple):
    """An address with an action, its reason, and the operations that carry it out.

    ``before`` are the active objects observed at the address (several if the service does not merge), newest first; of
    these, ``clears`` are cleared in any case, and ``refreshes`` is the one that a repeated push should refresh in place
    or, in a replace, the one that the push clears in the same request. ``begins_at`` (epoch ms) is the start in what is
    pushed. ``drift`` says that the service has changed and not the configuration: the alarm expired, was cleared by
    another user, or is duplicated. ``problem`` is why nothing can be done at the address now. ``moved_from`` is the
    previous address of what was observed, or recorded.
    """

    address: Address
    action: Action
    reason: str
    provider: str
    operations: tuple[Operation, ...] = ()
    desired: Desired | None = None
    before: tuple[Observed, ...] = ()
    differences: tuple[Difference, ...] = ()
    drift: bool = False
    clears: tuple[Observed, ...] = ()
    refreshes: Observed | None = None
    begins_at: int | None = None
    problem: Diagnostic | None = None
    moved_from: Address | None = None

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses that the change reads or writes: its own, and the one it was moved from."""
        return (self.address,) if self.moved_from is None else (self.address, self.moved_from)

    @property
    def takes_over(self) -> bool:
        """Whether it pushes something again that the service knows at another address, or as unmanaged."""
        return self.moved_from is not None or self.action is Action.IMPORT

    @property
    def takes_unmanaged(self) -> bool:
        """Whether it adopts or clears an unmanaged alarm."""
        return any(is_unmanaged(found.marks) for found in self.before)

    @property
    def pushes_first(self) -> bool:
        """Whether a replace pushes the new alarm before it clears the old one."""
        if self.action is not Action.REPLACE or self.refreshes is not None or not self.operations:
            return False
        return self.operations[0].verb is Verb.PUSH

    @property
    def sign(self) -> str:
        """The action's sign, reversed if the push comes first."""
        return PUSH_FIRST_SIGN if self.pushes_first else self.action.sign


class Plan(NamedTuple):
    """All changes of one stack at one instant (epoch ms), in the order of the configuration, clears of undeclared
    alarms last.

    ``basis`` maps each address to a digest of what was observed there, which ``stale`` compares. ``providers`` maps
    each provider's key to a digest of its settings without secrets, ``targets`` to its target. ``id`` is a digest of
    all of this, and the run id in the marks of pushes. ``problems`` are errors that forbid applying it, ``warnings``
    are further notes for its reader.
    """

    id: str
    stack: str
    planned_at: int
    config_digest: str
    changes: tuple[Change, ...]
    basis: Mapping[str, str]
    providers: Mapping[str, str] = MappingProxyType({})
    problems: tuple[Diagnostic, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    targets: Mapping[str, Target] = MappingProxyType({})

    @property
    def pending(self) -> tuple[Change, ...]:
        """The changes that are not no-ops."""
        return tuple(change for change in self.changes if change.action is not Action.NO_OP)

    @property
    def counts(self) -> Mapping[Action, int]:
        """The number of changes of each action."""
        return Counter(change.action for change in self.changes)

    @property
    def operations(self) -> Iterator[Operation]:
        return chain.from_iterable(change.operations for change in self.changes)

    @property
    def send_by(self) -> int | None:
        """The last instant (epoch ms) at which the whole plan can still be sent; None if it does not expire."""
        return min((op.send_by for op in self.operations if op.send_by is not None), default=None)


def drift_only(plan: Plan) -> Plan:
    """The plan with only the changes that are drift, and nothing to send: the result of ``--refresh-only``."""
    changes = tuple(
        change._replace(operations=()) for change in plan.changes if change.drift or change.action is Action.NO_OP
    )
    return plan._replace(changes=changes)
