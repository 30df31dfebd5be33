"""A session of a stack: its providers and its ledger, under the stack's lease. Every write is a small plan."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Event

from reconciler.apply.executor import apply_plan
from reconciler.apply.lease import Owner, leased
from reconciler.apply.options import NullProgress, Options
from reconciler.apply.result import Result
from reconciler.apply.settle import Settlement, resolve_open_intents
from reconciler.core.address import Address
from reconciler.core.clock import Clock, SteadyClock
from reconciler.core.desired import Desired
from reconciler.core.duration import MINUTE
from reconciler.core.observed import Observed, State
from reconciler.core.resource_type import ResourceType
from reconciler.ledger.protocol import Holder, Ledger
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan
from reconciler.plan.state import altered_keys, merge
from reconciler.providers.protocol import Provider, ServiceError, longest_visible_within
from reconciler.providers.retry import retry_read
from reconciler.session.workspace import Workspace

STEP_DEADLINE = 2 * MINUTE
"""How long (ms) the pushes of one step may take."""
DRILL = "drill"
"""The command name of drill steps in the ledger."""


@dataclass(frozen=True, slots=True)
class StackSession:
    """A stack whose lease is held.

    ``owner`` is the stack name in the marks: that of the stack, or of one of its drills. ``command`` is the command
    name of the session's runs in the ledger.
    """

    owner: str
    providers: Mapping[str, Provider]
    types: Mapping[str, ResourceType]
    ledger: Ledger
    holder: Holder
    clock: Clock
    command: str = DRILL
    target_texts: Mapping[str, str] | None = None
    """The canonical text of each provider's target, by key; None if they are not known."""
    wanted: Mapping[Address, str] = field(default_factory=dict)
    """The digests of what the stack declares firing, by address."""

    @property
    def visible_within(self) -> int:
        """The longest time (ms) a provider may take to show a write."""
        return longest_visible_within(self.providers.values())

    def observe(self, desired: Sequence[Desired] = (), stop: Event | None = None) -> list[Observed]:
        """Every active alarm of the owner, and the desired events that are on record.

        A busy service is queried again after its ``Retry-After``, unless ``stop`` is set. Raises ServiceError.
        """
        found: list[Observed] = []
        for key, provider in self.providers.items():
            mine = [one for one in desired if one.provider == key]
            try:
                found += retry_read(key, partial(_observed, provider, self.owner, mine), self.clock, stop)
            except ServiceError as error:
                error.provider = key
                raise
        return found

    def active(self, stop: Event | None = None) -> list[Observed]:
        """Every active alarm of the owner. Raises ServiceError."""
        return [found for found in self.observe(stop=stop) if found.state is State.ACTIVE]

    def ended(self, addresses: Collection[Address]) -> Iterator[Observed]:
        """Alarms of the owner at these addresses that have ended. Raises ServiceError."""
        if addresses:
            for key, provider in self.providers.items():
                yield from retry_read(key, partial(_ended, provider, self.owner, addresses), self.clock)

    def plan(self, desired: Sequence[Desired], observed: Sequence[Observed], targets: Sequence[Address] = ()) -> Plan:
        """The plan that turns the observed into the desired state; with ``targets``, at these addresses only."""
        now = self.clock.now()
        view = self.ledger.view(now, self.visible_within, self.target_texts)._replace(orphans=())
        altered = altered_keys(desired, merge(self.owner, observed, view))
        return make_plan(
            self.owner,
            desired,
            observed,
            now,
            types=self.types,
            ledger=view._replace(shown=self.ledger.shown(altered)) if altered else view,
            targets=targets,
        )

    def apply(self, plan: Plan, stop: Event, *, verify: bool = False, deadline: int = STEP_DEADLINE) -> Result:
        """Execute a plan through the ledger. Raises LeaseLostError."""
        return apply_plan(
            plan,
            self.providers,
            self.ledger,
            self.holder,
            clock=self.clock,
            stop=stop,
            command=self.command,
            options=Options(verify=verify, deadline=deadline),
            targets=self.target_texts,
        )

    def resolve_open_intents(self, stop: Event) -> Settlement:
        """Settle every open intent, and wait until the last writes are visible.

        Raises DeniedError, LeaseLostError.
        """
        return resolve_open_intents(
            *(self.ledger, self.holder, self.providers, self.clock, stop, NullProgress()),
            targets=self.target_texts,
            wanted=self.wanted,
        )


@contextmanager
def open_session(
    workspace: Workspace, who: Owner, stop: Event, *, owner: str | None = None, command: str = DRILL
) -> Iterator[StackSession]:
    """Open a session under the lease of a workspace's stack; ``owner`` is the name of the stack by default.

    The session's clock never goes back. ``stop`` is set if the lease is lost. Raises LeaseHeldError.
    """
    ledger = workspace.open_ledger()
    with leased(ledger, who, workspace.clock, stop, workspace.lease_wait) as holder:
        yield StackSession(
            owner or workspace.stack.name,
            workspace.providers,
            workspace.registry.resource_types(),
            ledger,
            holder,
            SteadyClock(workspace.clock),
            command,
            workspace.target_texts,
            {desired.address: desired.digest for desired in workspace.stack.desired if desired.firing},
        )


def _observed(provider: Provider, owner: str, desired: Sequence[Desired]) -> list[Observed]:
    return list(provider.observe(owner, desired))


def _ended(provider: Provider, owner: str, addresses: Collection[Address]) -> list[Observed]:
    return list(provider.history(owner, addresses))
