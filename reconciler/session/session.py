"""The stage: what a drill is played on. Every write is a small plan, carried out through the stack's ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Event

from reconciler.apply.executor import apply_plan
from reconciler.apply.options import Options
from reconciler.apply.progress import NullProgress
from reconciler.apply.result import Result
from reconciler.apply.settle import Settlement, resolve_open_intents
from reconciler.core.address import Address
from reconciler.core.clock import Clock
from reconciler.core.desired import Desired
from reconciler.core.duration import MINUTE
from reconciler.core.observed import Observed, State
from reconciler.core.resource_type import ResourceType
from reconciler.ledger.protocol import Holder, Ledger
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan
from reconciler.providers.protocol import Provider, ServiceError

STEP_DEADLINE = 2 * MINUTE
"""How long (ms) the pushes of one step may take."""
COMMAND = "drill"
"""What the ledger says that the runs of steps are."""


@dataclass(frozen=True, slots=True)
class StackSession:
    """The providers, types and ledger of a stack whose lease is held; ``owner`` is the stack name in the marks."""

    owner: str
    providers: Mapping[str, Provider]
    types: Mapping[str, ResourceType]
    ledger: Ledger
    holder: Holder
    clock: Clock

    @property
    def visible_within(self) -> int:
        """The longest time (ms) a provider may take to show a write."""
        return max((provider.limits.visible_within for provider in self.providers.values()), default=0)

    def observe(self, desired: Sequence[Desired] = ()) -> list[Observed]:
        """Every active alarm of the drill, and of the events that are desired those on record. Raises ServiceError."""
        found: list[Observed] = []
        for key, provider in self.providers.items():
            try:
                found.extend(provider.observe(self.owner, [one for one in desired if one.provider == key]))
            except ServiceError as error:
                error.provider = key
                raise
        return found

    def active(self) -> list[Observed]:
        """Every active alarm of the drill. Raises ServiceError."""
        return [found for found in self.observe() if found.state is State.ACTIVE]

    def ended(self, addresses: Collection[Address]) -> Iterator[Observed]:
        """Alarms of the drill at these addresses that have ended. Raises ServiceError."""
        if addresses:
            for provider in self.providers.values():
                yield from provider.history(self.owner, addresses)

    def plan(self, desired: Sequence[Desired], observed: Sequence[Observed], targets: Sequence[Address] = ()) -> Plan:
        """What turns the observed into the desired; with ``targets``, at these addresses only."""
        now = self.clock.now()
        return make_plan(
            self.owner,
            desired,
            observed,
            now,
            types=self.types,
            ledger=self.ledger.view(now, self.visible_within),
            targets=targets,
        )

    def apply(self, plan: Plan, stop: Event, *, verify: bool = False, deadline: int = STEP_DEADLINE) -> Result:
        """Carry a plan out through the ledger. Raises LeaseLostError."""
        return apply_plan(
            plan,
            self.providers,
            self.ledger,
            self.holder,
            clock=self.clock,
            stop=stop,
            command=COMMAND,
            options=Options(verify=verify, deadline=deadline),
        )

    def settle(self, stop: Event) -> Settlement:
        """Give every open intent its outcome, and wait until the last writes show. Raises DeniedError."""
        return resolve_open_intents(self.ledger, self.providers, self.clock, stop, NullProgress())
