"""Phrases about plans that the views share."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from reconciler.config.stack import StackConfig
from reconciler.core.action import Action
from reconciler.core.desired import Desired, Kind
from reconciler.core.duration import format_instant, rough_duration
from reconciler.core.target import Target
from reconciler.plan.plan import Change, Plan

ORDER = (
    *(Action.CREATE, Action.UPDATE, Action.REPLACE, Action.RENEW, Action.MOVE, Action.IMPORT),
    *(Action.CLEAR, Action.FORGET, Action.RECORD),
)
"""The order in which actions are counted."""

DONE = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.RENEW: "renewed",
    Action.MOVE: "moved",
    Action.IMPORT: "imported",
    Action.CLEAR: "cleared",
    Action.FORGET: "forgotten",
    Action.RECORD: "recorded",
    Action.NO_OP: "left alone",
}
MEANING = {
    Action.CREATE: "create",
    Action.UPDATE: "update in place",
    Action.REPLACE: "replace: clear, then push",
    Action.RENEW: "renew: push again before it expires",
    Action.MOVE: "move: go on firing under another address",
    Action.IMPORT: "import: take over what fires unmanaged",
    Action.CLEAR: "clear",
    Action.FORGET: "forget: leave firing, and manage no more",
    Action.RECORD: "record",
}
PUSH_FIRST = "replace: push, then clear"


def pointing(targets: Mapping[str, Target]) -> list[str]:
    """Each provider's target, including providers without changes: ``aom: aom cn-north-4, project 0a1b``."""
    return [f"{key}: {target.label}" for key, target in targets.items()]


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 alarm``, ``2 alarms``, ``1,200 alarms``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural or noun + 's'}"


def section_size(stack: StackConfig, name: str) -> int:
    """How many checks or drills a stack declares."""
    section = stack.sections.get(name)
    return sum(1 for _ in section.entries()) if section is not None else 0


def join_words(parts: Sequence[str]) -> str:
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
    """What a plan would do, in one line."""
    if plan.pending:
        return f"Plan: {due(plan.counts)}."
    return f"No changes. {as_declared(plan)}"


def drift_summary(plan: Plan) -> str:
    """How much of a whole plan is drift, and what else is due, in one line."""
    drift = [change for change in plan.pending if change.drift]
    others = [change for change in plan.pending if not change.drift]
    unraised = [change for change in others if change.action is Action.CREATE]
    told = [f"Drift: {due(Counter(change.action for change in drift))}." if drift else "No drift."]
    if unraised:
        told.append(f"{count(len(unraised), 'declared alarm')} {'does' if len(unraised) == 1 else 'do'} not fire yet.")
    if len(others) > len(unraised):
        rest = len(others) - len(unraised)
        told.append(f"{count(rest, 'other change')} {'is' if rest == 1 else 'are'} due: see `reconciler plan`.")
    if not plan.pending:
        told.append(as_declared(plan))
    return " ".join(told)


def deadline(plan: Plan, now: int) -> str | None:
    """Until when a saved plan can be applied, relative to ``now`` (epoch ms); None if it does not expire."""
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
        return "Nothing that the plan covers is declared or firing."
    if all(change.desired is not None and _quiet(change.desired) for change in unchanged):
        return "No alarm of this stack is firing, and none should be."
    kinds = Counter(change.desired.kind if change.desired else None for change in unchanged)
    return f"{kinds_listed(kinds)} {'is' if len(unchanged) == 1 else 'are'} as declared."


def kinds_listed(kinds: Mapping[Kind, int] | Mapping[Kind | None, int]) -> str:
    """``12 alarms, 1 silence and 1 event``."""
    nouns = {Kind.ALARM: "alarm", Kind.SILENCE: "silence", Kind.EVENT: "event", None: "object"}
    numbers = dict(kinds.items())
    return join_words([count(numbers[kind], noun) for kind, noun in nouns.items() if numbers.get(kind)])


def _quiet(desired: Desired) -> bool:
    return desired.kind is Kind.ALARM and not desired.firing
