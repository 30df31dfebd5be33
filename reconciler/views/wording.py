"""Wording: the sentences about plans and results that several views share."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reconciler.apply.result import Ending, Result
from reconciler.core.action import Action
from reconciler.core.desired import Desired, Kind
from reconciler.core.duration import format_instant, rough_duration
from reconciler.core.operation import ServiceAnswer, Status
from reconciler.plan.plan import Change, Plan

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


def deadline(plan: Plan, now: int) -> str | None:
    """Until when a saved plan can be applied, seen from ``now`` (epoch ms); None where it does not age."""
    if plan.send_by is None:
        return None
    left = plan.send_by - now
    if left > 0:
        return f"It can be applied until {format_instant(plan.send_by)}, for another {rough_duration(left)}."
    passed = f"It could be applied until {format_instant(plan.send_by)}, {rough_duration(-left)} ago"
    return f"{passed}: make a new plan."


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


class Deed(NamedTuple):
    """What a command did, in the words that begin its summary."""

    noun: str
    complete: str
    part: str
    nothing: str


_APPLY = Deed("Apply", "Apply complete", "Applied in part", "Nothing applied")
_DEEDS = {"destroy": Deed("Destroy", "Destroy complete", "Destroyed in part", "Nothing destroyed")}


def deed(result: Result) -> Deed:
    """The words of the command that a result is of."""
    return _DEEDS.get(result.command, _APPLY)


def outcome(result: Result) -> str:
    """The one line that tells what became of a plan."""
    pending = result.plan.pending
    if not pending:
        return summary(result.plan)
    words = deed(result)
    if not result.remaining:
        return f"{words.complete}: {done(pending)}."
    if not result.touched:
        return f"{words.nothing}: {', '.join(_undone(result, pending))}."
    return f"{words.part}: {_balance(result, pending)}."


def shares(result: Result) -> Mapping[str, str]:
    """What became of each provider's share of a plan, by key; empty where one line tells it all: a single provider, or
    nothing left to do.
    """
    pending = result.plan.pending
    keys = list(dict.fromkeys(change.provider for change in pending))
    if not result.remaining or len(keys) < 2:
        return {}
    return {key: _balance(result, [change for change in pending if change.provider == key]) for key in keys}


def _balance(result: Result, changes: Sequence[Change]) -> str:
    """``3 created`` where all is done, else ``3 of 5 done (3 created), 1 failed, 1 not started``."""
    finished = [change for change in changes if result.status(change) is Status.DONE]
    if len(finished) == len(changes):
        return done(finished)
    told = f" ({done(finished)})" if finished else ""
    return ", ".join([f"{len(finished):,} of {len(changes):,} done{told}", *_undone(result, changes)])


def _undone(result: Result, changes: Iterable[Change]) -> Iterator[str]:
    """``1 failed``, ``2 not started``: how many changes ended so; one of two operations that went through is half."""
    counts: Counter[str] = Counter()
    for change in changes:
        status = result.status(change)
        begun = any(operation.key in result.outcomes for operation in change.operations)
        counts[status.value if status else "half done" if begun else "not started"] += 1
    return (f"{counts[word]:,} {word}" for word in ("failed", "unknown", "half done", "not started") if counts[word])


def ending(result: Result) -> str | None:
    """Why a run ended early, in a sentence."""
    match result.ending:
        case Ending.COMPLETE:
            return None
        case Ending.DENIED:
            return _stopped(result.cause)
        case Ending.INTERRUPTED:
            return "Interrupted: nothing new was sent, what was under way has ended, and the ledger is written."
        case Ending.DEADLINE:
            return "The run's deadline passed: nothing new was sent, and the ledger is written."


def _stopped(cause: ServiceAnswer | None) -> str:
    if cause is None:
        return "The run was stopped: a service did not let us in."
    what = f"The run was stopped: {str(cause).rstrip('.')}."
    if cause.status is None:
        return what
    return f"{what} Check the credentials under `providers`, their project, and the permissions they grant."
