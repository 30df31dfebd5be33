"""Phrases about fleets that the views share."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.app.unit import Activity, UnitKind, UnitResult, UnitState
from reconciler.checks.poll import CheckStatus
from reconciler.core.action import Action
from reconciler.fleet.report import FleetReport, has_changes
from reconciler.views.phrases.plan import DONE, ORDER, count, due, join_words

_VERBS = {"push": "pushed", "clear": "cleared"}
_WORDS = {
    UnitKind.PLAN: "planned",
    UnitKind.APPLY: "applied",
    UnitKind.CHECK: "passed",
    UnitKind.DRIFT: "compared",
    UnitKind.STATUS: "read",
}
_BAD = (UnitState.FAILED, UnitState.LEASED, UnitState.TIMED_OUT, UnitState.INTERRUPTED, UnitState.NOT_RUN)


def is_quiet(result: UnitResult) -> bool:
    """Whether a unit succeeded and found nothing notable."""
    if result.unit.kind is UnitKind.STATUS:
        return False
    found_something = result.others or (has_changes(result) and result.unit.kind is not UnitKind.CHECK)
    return result.state is UnitState.DONE and not (found_something or result.diagnostics)


def unit_summary(result: UnitResult) -> str:
    """The outcome of a unit in one line; if it failed, the reason."""
    if result.unit.kind is UnitKind.STATUS and result.state is UnitState.DONE:
        known = [f"{kind}: {activity(kind, found)}" for kind, found in result.activities.items()]
        return ", ".join(known) or "nothing is recorded"
    told = _counted(result.unit.kind, result.counts, repeated=result.repeated)
    if result.state is UnitState.DONE:
        others = f"; {count(result.others, 'other change')} due" if result.others else ""
        return told + others
    reason = next((found.summary.split("\n", 1)[0] for found in result.diagnostics), "")
    if result.unit.kind is UnitKind.APPLY and result.remaining:
        left = f"{count(result.remaining, 'change')} not done"
        told = f"{told}, {left}" if has_changes(result) else left
        return f"{told}: {reason}" if reason else told
    if result.unit.kind is UnitKind.CHECK and result.counts:
        return told
    return reason


def _counted(kind: UnitKind, counts: Mapping[str, int], *, repeated: bool = False) -> str:
    if kind is UnitKind.CHECK:
        told = ", ".join(f"{counts[status]:,} {status.value}" for status in CheckStatus if counts.get(status))
        return told or "no checks"
    if repeated:
        done = [f"{counts[verb]:,} {word}" for verb, word in _VERBS.items() if counts.get(verb)]
        return f"applied already: {join_words(done)}" if done else "applied already"
    by_action = {Action(name): number for name, number in counts.items()}
    if kind is UnitKind.APPLY:
        done = [f"{by_action[action]:,} {DONE[action]}" for action in ORDER if by_action.get(action)]
        return ", ".join(done) or "no changes"
    return due(by_action) or ("no drift" if kind is UnitKind.DRIFT else "no changes")


def activity(kind: UnitKind, found: Activity) -> str:
    """The outcome of an earlier plan, apply, check or drift run."""
    if kind is UnitKind.APPLY:
        if found.state is not UnitState.DONE:
            return found.state.value if found.id is None else "not complete"
        return _counted(kind, found.counts) if found.counts else "done"
    is_told = found.state is UnitState.DONE or (kind is UnitKind.CHECK and found.counts)
    return _counted(kind, found.counts) if is_told else found.state.value


def summary_line(report: FleetReport) -> str:
    """``12 stacks: 10 planned (3 to create), 1 failed, 1 not run.``"""
    units = len(report.results)
    if not units:
        return f"No stack changed: {count(report.unchanged, 'stack')} left out." if report.unchanged else "No stacks."
    if report.has_nothing_to_pass:
        return f"{count(units, 'stack')}: none has checks to pass."
    states = report.states
    parts = []
    done = states.get(UnitState.DONE, 0)
    unchecked = sum(result.state is UnitState.DONE and not result.counts for result in report.results)
    without = unchecked if report.kind is UnitKind.CHECK else 0
    if done > without:
        totals = _totals(report)
        parts.append(f"{done - without:,} {_WORDS[report.kind]}{f' ({totals})' if totals else ''}")
    if without:
        parts.append(f"{without:,} without checks")
    parts += [f"{states[state]:,} {_state(state)}" for state in _BAD if states.get(state)]
    left_out = f" {count(report.unchanged, 'unchanged stack')} left out." if report.unchanged else ""
    return f"{count(units, 'stack')}: {', '.join(parts)}.{left_out}"


def _totals(report: FleetReport) -> str:
    """The changes of all stacks together."""
    if report.kind in (UnitKind.CHECK, UnitKind.STATUS):
        return ""
    repeated = sum(result.repeated for result in report.results)
    begun = [result for result in report.results if result.counts or result.state is UnitState.DONE]
    done = [result for result in begun if not result.repeated]
    total: dict[str, int] = {}
    for result in done:
        for name, number in result.counts.items():
            total[name] = total.get(name, 0) + number
    parts = [_counted(report.kind, total)] if done else []
    return ", ".join([*parts, f"{repeated:,} applied already"] if repeated else parts)


def _state(state: UnitState) -> str:
    return "leased by another run" if state is UnitState.LEASED else state.value
