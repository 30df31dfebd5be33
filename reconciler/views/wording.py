"""Wording: the sentences about plans and results that several views share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from reconciler.apply.result import Ending, Result
from reconciler.checks.result import Report
from reconciler.checks.watch import Verdict
from reconciler.core.action import Action
from reconciler.core.desired import Desired, Kind
from reconciler.core.operation import Status
from reconciler.plan.plan import Change, Plan
from reconciler.views.remainder import remaining

ORDER = (Action.CREATE, Action.UPDATE, Action.REPLACE, Action.RENEW, Action.CLEAR, Action.RECORD)
"""The order in which actions are counted."""

DONE = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.RENEW: "renewed",
    Action.CLEAR: "cleared",
    Action.RECORD: "recorded",
    Action.NO_OP: "left alone",
}
MEANING = {
    Action.CREATE: "create",
    Action.UPDATE: "update in place",
    Action.REPLACE: "replace: clear, then push",
    Action.RENEW: "renew: push again before it expires",
    Action.CLEAR: "clear",
    Action.RECORD: "record",
}


def count(number: int, noun: str) -> str:
    """``1 alarm``, ``2 alarms``, ``1,200 alarms``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def due(counts: Mapping[Action, int]) -> str:
    """``3 to create, 1 to clear``."""
    return ", ".join(f"{counts[action]:,} to {action}" for action in ORDER if counts.get(action))


def done(changes: Iterable[Change]) -> str:
    """``3 created, 1 cleared``."""
    counts = Counter(change.action for change in changes)
    return ", ".join(f"{counts[action]:,} {DONE[action]}" for action in ORDER if counts[action])


def summary(plan: Plan) -> str:
    """The one line that tells what a plan would do."""
    if plan.pending:
        return f"Plan: {due(plan.counts)}."
    return f"No changes. {as_declared(plan)}"


def as_declared(plan: Plan) -> str:
    """``12 alarms and 1 event are as declared.``"""
    unchanged = [change for change in plan.changes if change.action is Action.NO_OP]
    if not unchanged:
        return "Nothing is declared, and nothing of this stack is firing."
    if all(change.desired is not None and _quiet(change.desired) for change in unchanged):
        return "No alarm of this stack is firing, and none should be."
    kinds = Counter(change.desired.kind if change.desired else None for change in unchanged)
    nouns = {Kind.LEVEL: "alarm", Kind.FACT: "event", None: "object"}
    parts = [count(kinds[kind], noun) for kind, noun in nouns.items() if kinds[kind]]
    return f"{listed(parts)} {'is' if len(unchanged) == 1 else 'are'} as declared."


def _quiet(desired: Desired) -> bool:
    return desired.kind is Kind.LEVEL and not desired.firing


def outcome(result: Result) -> str:
    """The one line that tells what became of a plan."""
    if not result.plan.pending:
        return summary(result.plan)
    finished = [change for change in result.plan.pending if result.status(change) is Status.DONE]
    counted = done(finished) or "nothing was done"
    left = Counter(item.status for item in remaining(result))
    if not left:
        return f"Apply complete: {counted}."
    undone = ", ".join(f"{left[status]:,} {status}" for status in ("failed", "unknown", "not started") if left[status])
    head = "Applied in part" if finished else "Nothing applied"
    operations = "operation" if left.total() == 1 else "operations"
    return f"{head}: {f'{counted}; ' if finished else ''}{operations} not done: {undone}."


def ending(result: Result) -> str | None:
    """Why a run ended early, in a sentence."""
    match result.ending:
        case Ending.COMPLETE:
            return None
        case Ending.DENIED:
            return f"The run was stopped: {result.cause or 'the service did not let us in'}."
        case Ending.INTERRUPTED:
            return "Interrupted: nothing new was sent, what was under way has ended, and the ledger is written."
        case Ending.DEADLINE:
            return "The run's deadline passed: nothing new was sent, and the ledger is written."


def verdicts(report: Report) -> str:
    """The one line that tells how all checks ended, and which could not be asked about."""
    if not report.results:
        return "The stack has no checks."
    counts = report.counts
    words = {
        Verdict.PASSED: "passed",
        Verdict.FAILED: "failed",
        Verdict.UNKNOWN: "could not be asked about",
        Verdict.INTERRUPTED: "interrupted",
    }
    parts = []
    for verdict, word in words.items():
        if counts[verdict]:
            names = [result.name for result in report.results if result.verdict is verdict]
            named = f" ({', '.join(names)})" if verdict in (Verdict.UNKNOWN, Verdict.INTERRUPTED) else ""
            parts.append(f"{counts[verdict]} {word}{named}")
    return f"{count(len(report.results), 'check')}: {', '.join(parts)}."
