"""Phrases about results that the views share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from reconciler.apply.result import ApplyStatus, Result
from reconciler.checks.poll import CheckStatus
from reconciler.checks.result import Report
from reconciler.core.operation import Operation, ServiceErrorDetail, Status
from reconciler.plan.plan import Change
from reconciler.views.phrases.plan import count, done, summary


class CommandWords(NamedTuple):
    """The words for what a command did, at the start of its summary."""

    noun: str
    complete: str
    part: str
    nothing: str


_APPLY = CommandWords("Apply", "Apply complete", "Applied in part", "Nothing applied")
_DEEDS = {"destroy": CommandWords("Destroy", "Destroy complete", "Destroyed in part", "Nothing destroyed")}


def command_words(result: Result) -> CommandWords:
    """The words for the command of a result."""
    return _DEEDS.get(result.command, _APPLY)


def summary_line(result: Result) -> str:
    """The result of a plan, in one line."""
    pending = result.plan.pending
    if not pending:
        return summary(result.plan)
    words = command_words(result)
    if not result.remaining:
        return f"{words.complete}: {done(pending)}."
    if not result.may_have_sent:
        return f"{words.nothing}: {', '.join(_undone(result, pending))}."
    return f"{words.part}: {_balance(result, pending)}."


def per_provider(result: Result) -> Mapping[str, str]:
    """The result for each provider, by key; empty if one line says everything: with a single provider, or if nothing
    remains.
    """
    pending = result.plan.pending
    keys = list(dict.fromkeys(change.provider for change in pending))
    if not result.remaining or len(keys) < 2:
        return {}
    return {key: _balance(result, [change for change in pending if change.provider == key]) for key in keys}


def _balance(result: Result, changes: Sequence[Change]) -> str:
    """``3 created`` if everything is done, else ``3 of 5 done (3 created), 1 failed, 1 not started``."""
    finished = [change for change in changes if result.status(change) is Status.DONE]
    if len(finished) == len(changes):
        return done(finished)
    told = f" ({done(finished)})" if finished else ""
    return ", ".join([f"{len(finished):,} of {len(changes):,} done{told}", *_undone(result, changes)])


def _undone(result: Result, changes: Iterable[Change]) -> Iterator[str]:
    """``1 failed``, ``2 not started``: the numbers of incomplete changes; one with one of two operations done is half
    done.
    """
    counts: Counter[str] = Counter()
    for change in changes:
        status = result.status(change)
        begun = any(operation.key in result.outcomes for operation in change.operations)
        counts[status.value if status else "half done" if begun else "not started"] += 1
    return (f"{counts[word]:,} {word}" for word in ("failed", "unknown", "half done", "not started") if counts[word])


def ending(result: Result) -> str | None:
    """Why a run ended early, in a sentence."""
    match result.ending:
        case ApplyStatus.COMPLETE:
            return None
        case ApplyStatus.DENIED:
            return _stopped(result.cause)
        case ApplyStatus.INTERRUPTED if not result.remaining:
            return "Interrupted after everything was sent: what was done is in the ledger."
        case ApplyStatus.INTERRUPTED:
            return (
                "Interrupted: no new requests were sent, those in flight have finished, and the ledger is up to date."
            )
        case ApplyStatus.DEADLINE:
            return "The run's deadline passed: nothing new was sent, and the ledger is written."
        case ApplyStatus.LEASE_LOST:
            return f"The run was stopped: {result.cause}."
        case ApplyStatus.LEDGER_FAILED:
            return f"The run was stopped, since it can no longer be journalled: {result.cause}."
        case ApplyStatus.FAILED:
            return f"The run was stopped by an internal error: {result.cause}."


def _stopped(cause: ServiceErrorDetail | None) -> str:
    if cause is None:
        return "The run was stopped: a service rejected the credentials."
    what = f"The run was stopped: {str(cause).rstrip('.')}."
    if cause.status is None:
        return what
    return f"{what} Check the credentials under `providers`, their project, and the permissions they grant."


class Remaining(NamedTuple):
    """An operation that is not done."""

    change: Change
    operation: Operation
    status: Literal["failed", "unknown", "not started"]
    error: ServiceErrorDetail | None


def remaining(result: Result) -> Iterator[Remaining]:
    """Every operation that is not done, in the order of the plan."""
    for change in result.remaining:
        for operation in change.operations:
            outcome = result.outcomes.get(operation.key)
            if outcome is None:
                if not operation.only_if_duplicate:
                    yield Remaining(change, operation, "not started", None)
            elif outcome.status is Status.FAILED:
                yield Remaining(change, operation, "failed", outcome.error)
            elif outcome.status is Status.UNKNOWN:
                yield Remaining(change, operation, "unknown", outcome.error)


def possible_duplicates(result: Result) -> list[str]:
    """The addresses that may fire twice because they were pushed again, in plan order."""
    keys = result.possible_duplicates
    found = (str(operation.address) for operation in result.plan.operations if operation.key in keys)
    return list(dict.fromkeys(found))


def unconfirmed(result: Result) -> Iterator[Operation]:
    """The done operations whose effect was not visible yet, in plan order."""
    return (operation for operation in result.plan.operations if operation.key in result.unconfirmed)


def status_counts(report: Report) -> str:
    """The result of all checks in one line, with those whose query failed."""
    counts = report.counts
    words = {
        CheckStatus.PASSED: "passed",
        CheckStatus.FAILED: "failed",
        CheckStatus.UNKNOWN: "could not be queried",
        CheckStatus.INTERRUPTED: "interrupted",
    }
    parts = []
    for status, word in words.items():
        if counts[status]:
            names = [result.name for result in report.results if result.status is status]
            named = f" ({', '.join(names)})" if status in (CheckStatus.UNKNOWN, CheckStatus.INTERRUPTED) else ""
            parts.append(f"{counts[status]} {word}{named}")
    return f"{count(len(report.results), 'check')}: {', '.join(parts)}."
