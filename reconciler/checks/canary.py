"""Canaries: an alarm that is raised, awaited, taken back and awaited again, as journalled as any other write."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import NamedTuple

from reconciler.apply.executor import apply_plan
from reconciler.apply.options import Options
from reconciler.apply.progress import NullProgress
from reconciler.apply.result import Result
from reconciler.apply.settle import resolve_open_intents
from reconciler.apply.visibility import visible_operations
from reconciler.checks.poll import CheckStatus, ProbeResult, poll_until, probe_failure
from reconciler.checks.result import Found
from reconciler.core.address import Address
from reconciler.core.canary import NAME
from reconciler.core.clock import Clock
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.duration import SECOND, rough_duration
from reconciler.core.observed import Observed
from reconciler.core.operation import Operation, ServiceErrorDetail, Status
from reconciler.core.resource_type import ResourceType
from reconciler.ledger.protocol import CHECK, Holder, Ledger, LedgerView
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan
from reconciler.providers.protocol import Provider, ServiceError
from reconciler.providers.retry import retry_while_busy

LEAST_DEADLINE = 10 * SECOND
CLEANUP = 60 * SECOND
"""How long (ms) taking a canary back may take."""


@dataclass(frozen=True, slots=True)
class CanarySession:
    """What canaries need: the providers and types of a stack, its ledger, and its lease, held."""

    stack: str
    providers: Mapping[str, Provider]
    types: Mapping[str, ResourceType]
    ledger: Ledger
    holder: Holder
    clock: Clock
    refusals: Callable[[Plan], Sequence[Diagnostic]]
    """The guards of the stack that a plan goes past."""

    def prepare(self, stop: Event) -> None:
        """Settle what earlier runs left open, and take back the canaries they left behind. Raises ServiceError."""
        resolve_open_intents(self.ledger, self.providers, self.clock, stop, NullProgress())
        for key, provider in self.providers.items():
            observed = retry_while_busy(key, lambda: list(provider.observe(self.stack, ())), self.clock, stop)  # noqa: B023 - asked at once
            left = [found for found in observed if found.marks.address.name == NAME]
            if left and not stop.is_set():
                self._clear(left, CLEANUP)

    def fly(self, desired: Desired, within: int, stop: Event) -> Found:
        """Raise a canary and wait until it shows; take it back, whatever happens, and wait until it is gone."""
        flight = _CanaryRun(self, desired, within, stop)
        with flight.taken_back():
            flight.out()
        return flight.found()

    def plan(self, desired: Sequence[Desired], observed: Sequence[Observed], target: Address) -> Plan:
        """What turns the observed into the desired at one address."""
        ours = LedgerView(flown=frozenset(found.marks.run for found in observed))
        now = self.clock.now()
        return make_plan(self.stack, desired, observed, now, types=self.types, ledger=ours, targets=[target])

    def apply(self, plan: Plan, stop: Event, deadline: int) -> Result:
        """Carry a plan out through the ledger, without waiting for its effect to show."""
        options = Options(verify=False, deadline=max(deadline, LEAST_DEADLINE))
        return apply_plan(
            plan,
            self.providers,
            self.ledger,
            self.holder,
            clock=self.clock,
            stop=stop,
            command=CHECK,
            options=options,
        )

    def _clear(self, left: Sequence[Observed], within: int) -> None:
        for address in sorted({found.marks.address for found in left}):
            mine = [found for found in left if found.marks.address == address]
            self.apply(self.plan([], mine, address), Event(), within)


class _Confirmation(NamedTuple):
    """What became of waiting for an effect: when (epoch ms) it first showed, or why it did not."""

    verdict: CheckStatus
    within: int
    trouble: ServiceErrorDetail | None = None
    at: int | None = None

    def reason(self, missed: str) -> str:
        if self.verdict is CheckStatus.UNKNOWN:
            return f"the service can't be asked for it: {self.trouble}"
        if self.verdict is CheckStatus.INTERRUPTED:
            return "the check was interrupted"
        return f"it {missed} within {rough_duration(self.within)}"


class _CanaryRun:
    """One canary on its way."""

    def __init__(self, perch: CanarySession, desired: Desired, within: int, stop: Event) -> None:
        self._perch = perch
        self._desired = desired
        self._within = within
        self._stop = stop
        self._provider = perch.providers[desired.provider]
        self._push: Operation | None = None
        self._verdict = CheckStatus.UNKNOWN
        self._reason = "it was not sent"
        self._visible_after: int | None = None
        self._gone_after: int | None = None

    def found(self) -> Found:
        """How it went."""
        return Found(self._verdict, self._reason, visible_after=self._visible_after, gone_after=self._gone_after)

    def out(self) -> None:
        """Push it, and wait until the service shows it."""
        perch = self._perch
        plan = perch.plan([self._desired], [], self._desired.address)
        refused = [*plan.problems, *perch.refusals(plan)]
        if refused:
            self._end(CheckStatus.FAILED, f"the stack's guards refuse it: {refused[0].summary}")
            return
        [push] = plan.operations
        self._push = push
        sent_at = perch.clock.now()
        outcome = perch.apply(plan, self._stop, self._within).outcomes.get(push.key)
        if outcome is None or outcome.status is Status.FAILED:
            self._push = None
        if outcome is None:
            self._end(CheckStatus.INTERRUPTED, "interrupted before it was sent")
        elif outcome.status is not Status.DONE:
            self._end(*_unsent(outcome.error))
        else:
            seen = self._await([push], self._within, self._stop)
            if seen.at is not None:
                self._visible_after = seen.at - sent_at
                self._end(CheckStatus.PASSED, f"visible after {rough_duration(self._visible_after)}")
            else:
                self._end(seen.verdict, f"pushed, but {seen.reason('does not show')}")

    @contextmanager
    def taken_back(self) -> Iterator[None]:
        """Clear it at the end, also where an error or an interrupt ends the flight."""
        try:
            yield
        finally:
            if self._push is not None:
                self._back(self._push)

    def _back(self, push: Operation) -> None:
        """Not with the stop of the run: an interrupted check takes its canary back."""
        perch = self._perch
        if self._visible_after is None:
            # It may show any moment, and must not stay then.
            self._await([push], self._provider.limits.visible_within, Event())
        try:
            looked = retry_while_busy(push.provider, lambda: list(self._provider.read_back([push])), perch.clock)
            shown = [item for item in looked if item.marks.key == push.key]
        except ServiceError as error:
            self._stay(f"the service can't be asked for it: {error.detail}")
            return
        if not shown:
            self._stay("it does not show")
            return
        plan = perch.plan([], shown, self._desired.address)
        sent_at = perch.clock.now()
        result = perch.apply(plan, Event(), CLEANUP)
        if result.remaining:
            outcome = next(iter(result.outcomes.values()), None)
            self._stay(str(outcome.error) if outcome is not None and outcome.error else "its clear was not sent")
            return
        gone = self._await(list(plan.operations), self._within, Event())
        if gone.at is not None:
            self._gone_after = gone.at - sent_at
            self._reason += f", gone after {rough_duration(self._gone_after)}"
        else:
            verdict = gone.verdict if self._verdict is CheckStatus.PASSED else self._verdict
            self._end(verdict, f"{self._reason}; cleared, but {gone.reason('still shows')}")

    def _await(self, operations: Sequence[Operation], within: int, stop: Event) -> _Confirmation:
        """Look until the effect of the operations shows; it is confirmed to the ledger then."""
        trouble: list[ServiceErrorDetail] = []

        def look() -> ProbeResult:
            try:
                shown = visible_operations(operations, self._provider.read_back(operations))
            except ServiceError as error:
                trouble[:] = [error.detail]
                return probe_failure(error)
            return ProbeResult(len(shown) == len(operations))

        clock = self._perch.clock
        began = clock.now()
        watched = poll_until(look, clock, stop, within=within)
        if watched.verdict is not CheckStatus.PASSED:
            return _Confirmation(watched.verdict, within, trouble[0] if trouble else None)
        self._perch.ledger.confirm([operation.key for operation in operations], clock.now())
        return _Confirmation(CheckStatus.PASSED, within, at=began + (watched.held_after or 0))

    def _stay(self, why: str) -> None:
        """It could not be taken back: a later run does it, or the service when its timeout has passed."""
        verdict = CheckStatus.FAILED if self._verdict is CheckStatus.PASSED else self._verdict
        later = "the next apply, or check with a canary, clears it, or its timeout does"
        self._end(verdict, f"{self._reason}; not taken back: {why} ({later})")

    def _end(self, verdict: CheckStatus, reason: str) -> None:
        self._verdict, self._reason = verdict, reason


def _unsent(error: ServiceErrorDetail | None) -> tuple[CheckStatus, str]:
    """The verdict where the push is not done: a refusal is the service's word, anything else tells nothing."""
    status = error.status if error is not None else None
    refused = status is not None and 400 <= status < 500 and status not in (401, 403, 408, 429)
    return CheckStatus.FAILED if refused else CheckStatus.UNKNOWN, f"it can't be pushed: {error or 'no answer'}"
