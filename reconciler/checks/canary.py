"""Canaries: alarms that are pushed, awaited, cleared and awaited again, journalled like any other write."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import NamedTuple

from reconciler.apply.result import Result
from reconciler.apply.verify import visible_operations
from reconciler.checks.delivery import Awaited, DeliveryProof, DeliveryStatus, worst
from reconciler.checks.poll import CheckStatus, ProbeResult, poll_until, probe_failure
from reconciler.checks.result import CheckOutcome, DeliveryOutcome
from reconciler.core.address import NAME, Address
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.duration import SECOND, rough_duration
from reconciler.core.observed import Observed
from reconciler.core.operation import Operation, ServiceErrorDetail, Status
from reconciler.ledger.protocol import LedgerView
from reconciler.plan.plan import Plan
from reconciler.plan.planner import make_plan
from reconciler.providers.protocol import ServiceError, TellsSuppression
from reconciler.providers.retry import retry_read
from reconciler.session.session import StackSession

LEAST_DEADLINE = 10 * SECOND
CLEANUP = 60 * SECOND
"""How long (ms) the clear of a canary may take."""


@dataclass(frozen=True, slots=True)
class CanarySession:
    """A session of the stack in which canaries are pushed and cleared."""

    session: StackSession
    guard_violations: Callable[[Plan], Sequence[Diagnostic]]
    """The guards of the stack that a plan violates."""

    def prepare(self, stop: Event) -> None:
        """Resolve what earlier runs left open, and clear the canaries they left. Raises ServiceError, DeniedError."""
        self.session.resolve_open_intents(stop)
        left = [found for found in self.session.observe(stop=stop) if found.marks.address.name == NAME]
        if left and not stop.is_set():
            for address in sorted({found.marks.address for found in left}):
                mine = [found for found in left if found.marks.address == address]
                self.apply(self.plan([], mine, address), Event(), CLEANUP)

    def run_canary(
        self, desired: Desired, within: int, stop: Event, proof: DeliveryProof | None = None
    ) -> CheckOutcome:
        """Push a canary and wait until it is visible; clear it in any case, and wait until it is gone.

        With ``proof`` its notifications are awaited too.
        """
        run = _CanaryRun(self, desired, within, stop, proof)
        with run.cleanup():
            run.push()
        run.conclude()
        return run.found()

    def plan(self, desired: Sequence[Desired], observed: Sequence[Observed], target: Address) -> Plan:
        """The plan from the observed to the desired state at one address."""
        ours = LedgerView(canary_plans=frozenset(found.marks.run for found in observed))
        now = self.session.clock.now()
        return make_plan(
            self.session.owner, desired, observed, now, types=self.session.types, ledger=ours, targets=[target]
        )

    def apply(self, plan: Plan, stop: Event, deadline: int) -> Result:
        """Execute a plan through the ledger, without waiting for its effect."""
        return self.session.apply(plan, stop, deadline=max(deadline, LEAST_DEADLINE))


class _Confirmation(NamedTuple):
    """The result of waiting for an effect: when (epoch ms) it was first visible, or why it was not."""

    status: CheckStatus
    within: int
    error: ServiceErrorDetail | None = None
    at: int | None = None

    def reason(self, missed: str) -> str:
        if self.status is CheckStatus.UNKNOWN:
            return f"its query failed: {self.error}"
        if self.status is CheckStatus.INTERRUPTED:
            return "the check was interrupted"
        return f"it {missed} within {rough_duration(self.within)}"


class _CanaryRun:
    """One canary, from its push to its clear."""

    def __init__(
        self, canaries: CanarySession, desired: Desired, within: int, stop: Event, proof: DeliveryProof | None
    ) -> None:
        self._canaries = canaries
        self._session = canaries.session
        self._desired = desired
        self._within = within
        self._stop = stop
        self._proof = proof
        self._delivery: DeliveryOutcome | None = None
        self._notified = proof is not None and not proof.expected.firing
        self._provider = canaries.session.providers[desired.provider]
        self._pushed: Operation | None = None
        self._sent_at = 0
        self._is_in_doubt = False
        self._status = CheckStatus.UNKNOWN
        self._reason = "it was not pushed"
        self._visible_after: int | None = None
        self._gone_after: int | None = None

    def found(self) -> CheckOutcome:
        """The result."""
        return CheckOutcome(
            self._status,
            self._reason,
            visible_after=self._visible_after,
            gone_after=self._gone_after,
            delivery=self._delivery,
        )

    def push(self) -> None:
        """Push the canary, and wait until it is visible."""
        canaries = self._canaries
        plan = canaries.plan([self._desired], [], self._desired.address)
        refused = [*plan.problems, *canaries.guard_violations(plan)]
        if refused:
            self._end(CheckStatus.FAILED, f"the stack's guards refuse it: {refused[0].summary}")
            return
        [push] = plan.operations
        self._pushed = push
        self._sent_at = sent_at = self._session.clock.now()
        outcome = canaries.apply(plan, self._stop, self._within).outcomes.get(push.key)
        if outcome is None or outcome.status is Status.FAILED:
            self._pushed = None
        if outcome is None:
            self._end(CheckStatus.INTERRUPTED, "interrupted before it was pushed")
        elif outcome.status is not Status.DONE:
            self._is_in_doubt = True
            self._end(*_unsent(outcome.error))
        else:
            seen = self._await([push], self._within, self._stop)
            if seen.at is not None:
                self._visible_after = seen.at - sent_at
                self._end(CheckStatus.PASSED, f"visible after {rough_duration(self._visible_after)}")
                why = self._suppressed(push)
                if why is None:
                    self._await_notification(push, sent_at)
                else:
                    self._end(CheckStatus.UNKNOWN, f"{self._reason}, but {why}: it proves nothing")
            else:
                self._end(seen.status, f"pushed, but {seen.reason('is not visible')}")

    @contextmanager
    def cleanup(self) -> Iterator[None]:
        """Clear the canary at the end, also if an error or an interrupt ends the run."""
        try:
            yield
        finally:
            if self._pushed is not None:
                self._clear(self._pushed)

    def _clear(self, push: Operation) -> None:
        """Clear the canary even if the check is interrupted: the run's stop event is ignored here."""
        canaries = self._canaries
        if self._visible_after is None:
            # It may become visible at any moment, and must not remain.
            self._await([push], self._late_within(), Event())
        try:
            found = retry_read(push.provider, lambda: list(self._provider.read_back([push])), self._session.clock)
            shown = [item for item in found if item.marks.key == push.key]
        except ServiceError as error:
            self._leave(f"its query failed: {error.detail}")
            return
        if not shown:
            self._leave("it is not visible")
            return
        plan = canaries.plan([], shown, self._desired.address)
        sent_at = self._session.clock.now()
        result = canaries.apply(plan, Event(), CLEANUP)
        if result.remaining:
            outcome = next(iter(result.outcomes.values()), None)
            self._leave(str(outcome.error) if outcome is not None and outcome.error else "its clear was not sent")
            return
        gone = self._await(list(plan.operations), self._within, Event())
        if gone.at is not None:
            self._gone_after = gone.at - sent_at
            self._reason += f", gone after {rough_duration(self._gone_after)}"
            self._await_end([push, *plan.operations], sent_at)
        else:
            status = gone.status if self._status is CheckStatus.PASSED else self._status
            self._end(status, f"{self._reason}; cleared, but {gone.reason('is still visible')}")

    def _late_within(self) -> int:
        """How long (ms) a canary that is not visible may still become visible, and must be waited for."""
        limits = self._provider.limits
        if not (self._is_in_doubt and limits.revives):
            return limits.visible_within
        passed = self._session.clock.now() - self._sent_at
        return max(limits.visible_within, limits.visible_within + limits.request_timeout - passed)

    def conclude(self) -> None:
        """Evaluate the notifications; if the canary itself failed, they prove nothing."""
        if self._proof is None or self._status is not CheckStatus.PASSED:
            return
        outcomes = self._proof.conclude()
        status = worst(outcomes)
        after = [each.after for each in outcomes]
        firing = self._proof.expected.firing
        self._delivery = DeliveryOutcome(
            status,
            after[0] if firing else None,
            after[-1] if len(after) > firing else None,
            outcomes[0].times if firing else 0,
        )
        told = dict.fromkeys(each.reason for each in outcomes)
        self._end(status.check_status, f"{self._reason}; {'; '.join(told)}")

    def _await_notification(self, push: Operation, sent_at: int) -> None:
        proof = self._proof
        if proof is None or not proof.expected.firing:
            return
        arrived = proof.wait(Awaited("firing", frozenset([push.key]), sent_at), self._stop)
        self._notified = arrived is not None and arrived.after is not None
        if arrived is None:
            self._end(CheckStatus.INTERRUPTED, f"{self._reason}; interrupted before its notification arrived")
        elif arrived.status is DeliveryStatus.MISSING:
            why = self._suppressed(push)
            if why is not None:
                proof.suppressed(why)

    def _suppressed(self, push: Operation) -> str | None:
        """Why the service does not notify of the canary now, or why that is unknown; None if it would notify."""
        if not isinstance(self._provider, TellsSuppression):
            return None
        try:
            return self._provider.suppressed([push]).get(push.key)
        except ServiceError as error:
            return f"the service could not be queried for silences: {error.detail}"

    def _await_end(self, operations: Sequence[Operation], sent_at: int) -> None:
        """Without a notification of its start, an alarm has none of its end, so that is not waited for either."""
        proof = self._proof
        if proof is None or not proof.expected.resolved or not self._notified:
            return
        keys = frozenset(operation.key for operation in operations)
        if proof.wait(Awaited("resolved", keys, sent_at), self._stop) is None:
            self._end(CheckStatus.INTERRUPTED, f"{self._reason}; interrupted before its end was notified")

    def _await(self, operations: Sequence[Operation], within: int, stop: Event) -> _Confirmation:
        """Poll until the effect of the operations is visible, then confirm it in the ledger."""
        failures: list[ServiceErrorDetail] = []

        def probe() -> ProbeResult:
            try:
                shown = visible_operations(operations, self._provider.read_back(operations))
            except ServiceError as error:
                failures[:] = [error.detail]
                return probe_failure(error)
            return ProbeResult(len(shown) == len(operations))

        clock = self._session.clock
        began = clock.now()
        polled = poll_until(probe, clock, stop, within=within)
        if polled.status is not CheckStatus.PASSED:
            return _Confirmation(polled.status, within, failures[0] if failures else None)
        self._session.ledger.confirm([operation.key for operation in operations], clock.now())
        return _Confirmation(CheckStatus.PASSED, within, at=began + (polled.held_after or 0))

    def _leave(self, why: str) -> None:
        """Report a canary that could not be cleared: a later run clears it, or its timeout does."""
        status = CheckStatus.FAILED if self._status is CheckStatus.PASSED else self._status
        later = "the next apply or check with a canary clears it, or its timeout"
        self._end(status, f"{self._reason}; not cleared: {why} ({later})")

    def _end(self, status: CheckStatus, reason: str) -> None:
        self._status, self._reason = status, reason


def _unsent(error: ServiceErrorDetail | None) -> tuple[CheckStatus, str]:
    """The status if the push is not done: a rejection fails the check, anything else leaves it unknown."""
    status = error.status if error is not None else None
    refused = status is not None and 400 <= status < 500 and status not in (401, 403, 408, 429)
    return CheckStatus.FAILED if refused else CheckStatus.UNKNOWN, f"the push failed: {error or 'no answer'}"
