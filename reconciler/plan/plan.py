"""The plan: all changes, with what they were computed from; a value."""

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.observed import Observed
from reconciler.core.operation import Operation, Verb
from reconciler.core.target import Target

PUSH_FIRST_SIGN = "+/-"
"""The sign of a replace that pushes before it clears."""


class Selection(NamedTuple):
    """Which addresses a plan is about: only ``targets`` (all, if there are none), without ``exclude``; what fires at
    ``replace`` is raised again.
    """

    targets: tuple[Address, ...] = ()
    exclude: tuple[Address, ...] = ()
    replace: tuple[Address, ...] = ()


ALL = Selection()


class Difference(NamedTuple):
    """One attribute that differs; a path like ``metadata.event_severity``, None where a side has no such attribute."""

    path: str
    old: object
    new: object
    forces_replace: bool = False


class Change(NamedTuple):
    """An address with an action, why, and the operations that carry it out.

    ``before`` holds what was observed active at the address (more than one where the service does not merge), newest
    first; of these, ``clears`` are to be cleared whatever else happens, and ``refreshes`` is the one that a repeated
    push should refresh in place; in a replace, the one that the push clears in the same request. ``begins_at`` (epoch
    ms) is when what is pushed says it began. ``drift`` says that the service moved and not the configuration: the alarm
    expired, was cleared by someone else, or fires twice. ``problem`` is why nothing can be done at the address now.
    ``moved_from`` is the address that what was observed, or recorded, has until now.
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
        """Where the change finds or puts something: its address, and the one it was moved from."""
        return (self.address,) if self.moved_from is None else (self.address, self.moved_from)

    @property
    def takes_over(self) -> bool:
        """Whether what it pushes again is known at the service as something else: at another address, or unmanaged."""
        return self.moved_from is not None or self.action is Action.IMPORT

    @property
    def pushes_first(self) -> bool:
        """Whether a replace pushes the new alarm before it clears the old one."""
        if self.action is not Action.REPLACE or self.refreshes is not None or not self.operations:
            return False
        return self.operations[0].verb is Verb.PUSH

    @property
    def sign(self) -> str:
        """What a reader sees in front of it: the action's sign, turned round if the push comes first."""
        return PUSH_FIRST_SIGN if self.pushes_first else self.action.sign


class Plan(NamedTuple):
    """All changes of one stack at one instant (epoch ms), by address in the order of the configuration, clears of
    what is gone last.

    ``basis`` maps each touched address to a digest of what was observed there: what ``stale`` compares.
    ``providers`` maps each provider's key to a digest of its settings without secrets, ``targets`` to where it points.
    ``id`` is a digest of all of this, and the run id that pushes carry in their marks. ``problems`` are errors that
    forbid applying it, ``warnings`` what its reader should know besides.
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
        """The changes that would do something."""
        return tuple(change for change in self.changes if change.action is not Action.NO_OP)

    @property
    def counts(self) -> Mapping[Action, int]:
        """How many changes there are of each action."""
        return Counter(change.action for change in self.changes)

    @property
    def operations(self) -> Iterator[Operation]:
        for change in self.changes:
            yield from change.operations

    @property
    def send_by(self) -> int | None:
        """The last instant (epoch ms) at which the whole plan can still be sent; None if it does not age."""
        return min((op.send_by for op in self.operations if op.send_by is not None), default=None)


def drift_only(plan: Plan) -> Plan:
    """The same plan with the changes that are drift, and nothing to send: what ``--refresh-only`` shows."""
    changes = tuple(
        change._replace(operations=()) for change in plan.changes if change.drift or change.action is Action.NO_OP
    )
    return plan._replace(changes=changes)
