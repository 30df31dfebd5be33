"""Running checks: side by side, each in its own thread; canaries one after another, under the stack's lease."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from threading import Event
from typing import Protocol

from reconciler.apply.sender import DeniedError
from reconciler.checks.canary import CanarySession
from reconciler.checks.check import Check, UnresolvedCheck
from reconciler.checks.evaluate import Evaluation, evaluate
from reconciler.checks.poll import CheckStatus, ProbeResult, poll_until, probe_failure
from reconciler.checks.result import CheckResult, Found, Report
from reconciler.config.stack import DataConfig
from reconciler.core.clock import Clock
from reconciler.core.data_source import Item
from reconciler.core.diagnostic import DiagnosticError
from reconciler.ledger.protocol import LeaseHeldError, LeaseLostError
from reconciler.providers.protocol import ServiceError

MOST = 32
"""How many checks run at once."""

Query = Callable[[DataConfig, Collection[str]], Sequence[Item]]
"""Makes a query, with the detail fields named. Raises ServiceError, or DiagnosticError where nobody can be asked."""

Canaries = Callable[[], AbstractContextManager[CanarySession]]
"""Takes the stack's lease for as long as canaries fly. Raises LeaseHeldError."""


class Progress(Protocol):
    """A watcher of a run of checks; its methods are called from several threads."""

    def started(self, name: str, about: str) -> None:
        """A check begins."""

    def looked(self, name: str, reason: str) -> None:
        """A check looked, and goes on waiting for this reason."""

    def ended(self, result: CheckResult) -> None:
        """A check has ended."""


def run_checks(
    stack: str,
    checks: Sequence[Check | UnresolvedCheck],
    query: Query,
    canaries: Canaries,
    clock: Clock,
    stop: Event,
    progress: Progress,
) -> Report:
    """Run all checks to their end, or until ``stop`` is set; canaries are taken back even then."""
    began = clock.now()
    runner = _Runner(query, canaries, clock, stop, progress)
    queried = [check for check in checks if isinstance(check, Check) and check.canary is None]
    flown = [check for check in checks if isinstance(check, Check) and check.canary is not None]
    results = {check.name: _unasked(check, began) for check in checks if isinstance(check, UnresolvedCheck)}
    for result in results.values():
        progress.ended(result)
    with ThreadPoolExecutor(min(MOST, len(checks) + 1), thread_name_prefix="check") as pool:
        futures: list[Future[list[CheckResult]]] = [pool.submit(runner.fly, flown)] if flown else []
        futures += [pool.submit(runner.look_at, check) for check in queried]
        for future in futures:
            results.update((result.name, result) for result in future.result())
    return Report(stack, began, clock.now(), tuple(results[check.name] for check in checks))


class _Runner:
    def __init__(self, query: Query, canaries: Canaries, clock: Clock, stop: Event, progress: Progress) -> None:
        self._query = query
        self._canaries = canaries
        self._clock = clock
        self._stop = stop
        self._progress = progress

    def look_at(self, check: Check) -> list[CheckResult]:
        """Run one check of a query."""
        began = self._clock.now()
        self._progress.started(check.name, check.about)
        query, expected = check.query, check.spec.expect
        assert query is not None
        assert expected is not None
        fields = query.source.fields
        details = expected.details(fields)
        last = Evaluation(False, "interrupted before it was looked at")

        def look() -> ProbeResult:
            nonlocal last
            try:
                last = evaluate(expected, self._query(query, details), fields)
                sight = ProbeResult(last.holds)
            except ServiceError as error:
                last = Evaluation(False, f"{query.label} could not be asked: {error.detail}")
                sight = probe_failure(error)
            except DiagnosticError as error:
                last = Evaluation(False, f"{query.label} could not be asked: {error.line}")
                sight = ProbeResult(None, final=True)
            self._progress.looked(check.name, last.reason)
            return sight

        if self._stop.is_set():
            found = Found(CheckStatus.INTERRUPTED, last.reason)
        else:
            watched = poll_until(look, self._clock, self._stop, within=check.within, hold=check.spec.hold)
            culprits = () if watched.verdict is CheckStatus.PASSED else last.failing_items
            found = Found(watched.verdict, last.reason, culprits, watched.looks, watched.held_after)
        return [self._ended(check, began, found)]

    def fly(self, checks: Sequence[Check]) -> list[CheckResult]:
        """Run the checks with a canary, one after another."""
        results: list[CheckResult] = []
        for check in checks:
            self._progress.started(check.name, check.about)
        try:
            with self._canaries() as perch:
                perch.prepare(self._stop)
                for check in checks:
                    results.append(self._fly(check, perch))
        except (LeaseHeldError, LeaseLostError) as error:
            self._ground(checks, results, f"the stack's lease is needed for a canary: {error}")
        except (ServiceError, DeniedError) as error:
            self._ground(checks, results, f"the service could not be asked: {error}")
        except DiagnosticError as error:
            self._ground(checks, results, error.line)
        return results

    def _fly(self, check: Check, perch: CanarySession) -> CheckResult:
        began = self._clock.now()
        assert check.canary is not None
        if self._stop.is_set():
            return self._ended(check, began, Found(CheckStatus.INTERRUPTED, "interrupted before it was sent"))
        return self._ended(check, began, perch.fly(check.canary, check.within, self._stop))

    def _ground(self, checks: Sequence[Check], results: list[CheckResult], why: str) -> None:
        """No canary can fly any more: those that did not could not be asked about."""
        done = {result.name for result in results}
        for check in checks:
            if check.name not in done:
                results.append(self._ended(check, self._clock.now(), Found(CheckStatus.UNKNOWN, why)))

    def _ended(self, check: Check, began: int, found: Found) -> CheckResult:
        spec = check.spec
        result = CheckResult(check.name, check.about, found, began, self._clock.now(), spec.description, check.position)
        self._progress.ended(result)
        return result


def _unasked(check: UnresolvedCheck, now: int) -> CheckResult:
    reason = "; ".join(each.line for each in check.diagnostics)
    return CheckResult(check.name, "a query in its own expressions", Found(CheckStatus.UNKNOWN, reason), now, now)
