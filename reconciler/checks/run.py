"""Runs checks: in parallel, each in its own thread; canaries one after another, under the stack's lease."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from functools import partial
from threading import Event
from typing import Protocol

from reconciler.apply.verify import DeniedError
from reconciler.checks.canary import CanarySession
from reconciler.checks.delivery import AskReceiver, DeliveryProof, evaluate_items
from reconciler.checks.evaluate import Evaluation, evaluate
from reconciler.checks.expectation import Delivered
from reconciler.checks.poll import CheckStatus, ProbeResult, poll_until, probe_failure
from reconciler.checks.result import CheckOutcome, CheckResult, Report
from reconciler.checks.spec import Check, UnresolvedCheck
from reconciler.core.clock import Clock
from reconciler.core.data_source import DataConfig, Item
from reconciler.core.delivery import DeliveryQuery
from reconciler.core.diagnostic import DiagnosticError
from reconciler.ledger.protocol import LeaseHeldError, LeaseLostError
from reconciler.providers.protocol import ServiceError

MAX_PARALLEL_CHECKS = 32
"""How many checks run at once."""

Query = Callable[[DataConfig, Collection[str]], Sequence[Item]]
"""Runs a query, with the detail fields named. Raises ServiceError, or DiagnosticError if it cannot be made."""

Canaries = Callable[[], AbstractContextManager[CanarySession]]
"""Holds the stack's lease while canaries run. Raises LeaseHeldError."""


class CheckWatcher(Protocol):
    """A watcher of a run of checks; its methods are called from several threads."""

    def started(self, name: str, about: str) -> None:
        """A check starts."""

    def polled(self, name: str, reason: str) -> None:
        """A check was polled, and continues to wait for this reason."""

    def ended(self, result: CheckResult) -> None:
        """A check has ended."""


class NullCheckWatcher:
    """Reports nothing."""

    def started(self, name: str, about: str) -> None: ...

    def polled(self, name: str, reason: str) -> None: ...

    def ended(self, result: CheckResult) -> None: ...


def run_checks(
    stack: str,
    checks: Sequence[Check | UnresolvedCheck],
    query: Query,
    canaries: Canaries,
    clock: Clock,
    stop: Event,
    progress: CheckWatcher,
    receivers: AskReceiver,
) -> Report:
    """Run all checks to their end, or until ``stop`` is set; canaries are cleared even then."""
    began = clock.now()
    runner = _Runner(query, canaries, clock, stop, progress, receivers)
    queried = [check for check in checks if isinstance(check, Check) and check.canary is None]
    with_canary = [check for check in checks if isinstance(check, Check) and check.canary is not None]
    results = {check.name: _unresolved(check, began) for check in checks if isinstance(check, UnresolvedCheck)}
    for result in results.values():
        progress.ended(result)
    with ThreadPoolExecutor(min(MAX_PARALLEL_CHECKS, len(checks) + 1), thread_name_prefix="check") as pool:
        futures: list[Future[list[CheckResult]]] = (
            [pool.submit(runner.run_canaries, with_canary)] if with_canary else []
        )
        futures += [pool.submit(runner.poll, check) for check in queried]
        for future in futures:
            results.update((result.name, result) for result in future.result())
    return Report(stack, began, clock.now(), tuple(results[check.name] for check in checks))


class _Runner:
    def __init__(
        self,
        query: Query,
        canaries: Canaries,
        clock: Clock,
        stop: Event,
        progress: CheckWatcher,
        receivers: AskReceiver,
    ) -> None:
        self._query = query
        self._canaries = canaries
        self._clock = clock
        self._stop = stop
        self._progress = progress
        self._receivers = receivers

    def poll(self, check: Check) -> list[CheckResult]:
        """Poll the query of one check."""
        began = self._clock.now()
        self._progress.started(check.name, check.about)
        query, expected = check.query, check.spec.expect
        assert query is not None  # noqa: S101 - narrows a type
        assert expected is not None  # noqa: S101 - narrows a type
        fields = query.source.fields
        details = expected.details(fields)
        last = Evaluation(False, "interrupted before the first query")

        def probe() -> ProbeResult:
            nonlocal last
            try:
                items = self._query(query, details)
                last = evaluate(expected, items, fields)
                result = ProbeResult(last.holds)
                if last.holds and expected.delivered is not None:
                    last, result = self._delivered(check, expected.delivered, items)
            except ServiceError as error:
                last = Evaluation(False, f"{query.label} could not be queried: {error.detail}")
                result = probe_failure(error)
            except DiagnosticError as error:
                last = Evaluation(False, f"{query.label} could not be queried: {error.line}")
                result = ProbeResult(None, permanent=True)
            self._progress.polled(check.name, last.reason)
            return result

        if self._stop.is_set():
            found = CheckOutcome(CheckStatus.INTERRUPTED, last.reason)
        else:
            polled = poll_until(probe, self._clock, self._stop, within=check.within, hold=check.spec.hold)
            failing_items = () if polled.status is CheckStatus.PASSED else last.failing_items
            found = CheckOutcome(polled.status, last.reason, failing_items, polled.attempts, polled.held_after)
        return [self._ended(check, began, found)]

    def _delivered(self, check: Check, expected: Delivered, items: Sequence[Item]) -> tuple[Evaluation, ProbeResult]:
        """Whether a notification arrived for each item, in addition to the other expectations."""
        assert check.receiver is not None  # noqa: S101 - narrows a type
        try:
            found = evaluate_items(items, expected, partial(self._receivers, check.receiver))
        except ServiceError as error:
            return Evaluation(False, f"the receiver could not be queried: {error.detail}"), probe_failure(error)
        return Evaluation(found.holds is True, found.reason, found.failing_items), ProbeResult(found.holds, found.final)

    def run_canaries(self, checks: Sequence[Check]) -> list[CheckResult]:
        """Run the checks with a canary, one after another."""
        results: list[CheckResult] = []
        for check in checks:
            self._progress.started(check.name, check.about)
        try:
            with self._canaries() as canaries:
                canaries.prepare(self._stop)
                for check in checks:
                    results.append(self._run_canary(check, canaries))
        except (LeaseHeldError, LeaseLostError) as error:
            self._fail_remaining(checks, results, f"a canary needs the stack's lease: {error}")
        except (ServiceError, DeniedError) as error:
            self._fail_remaining(checks, results, f"the service could not be queried: {error}")
        except DiagnosticError as error:
            self._fail_remaining(checks, results, error.line)
        return results

    def _run_canary(self, check: Check, canaries: CanarySession) -> CheckResult:
        began = self._clock.now()
        assert check.canary is not None  # noqa: S101 - narrows a type
        if self._stop.is_set():
            return self._ended(check, began, CheckOutcome(CheckStatus.INTERRUPTED, "interrupted before it was pushed"))
        proof = None
        if check.delivered is not None:
            assert check.receiver is not None  # noqa: S101 - narrows a type
            ask = partial(self._receivers, check.receiver)
            try:
                with suppress(ServiceError):  # it may be reachable again when the proof needs it
                    ask(DeliveryQuery())
            except DiagnosticError as error:
                return self._ended(
                    check, began, CheckOutcome(CheckStatus.UNKNOWN, f"no receiver to query: {error.line}")
                )
            proof = DeliveryProof(check.delivered, ask, self._clock)
        return self._ended(check, began, canaries.run_canary(check.canary, check.within, self._stop, proof))

    def _fail_remaining(self, checks: Sequence[Check], results: list[CheckResult], why: str) -> None:
        """Report the checks that have not run as unknown."""
        done = {result.name for result in results}
        for check in checks:
            if check.name not in done:
                results.append(self._ended(check, self._clock.now(), CheckOutcome(CheckStatus.UNKNOWN, why)))

    def _ended(self, check: Check, began: int, found: CheckOutcome) -> CheckResult:
        spec = check.spec
        result = CheckResult(check.name, check.about, found, began, self._clock.now(), spec.description, check.position)
        self._progress.ended(result)
        return result


def _unresolved(check: UnresolvedCheck, now: int) -> CheckResult:
    reason = "; ".join(each.line for each in check.diagnostics)
    return CheckResult(
        check.name, "a query in its own expressions", CheckOutcome(CheckStatus.UNKNOWN, reason), now, now
    )
