"""Metrics of a stack in Prometheus' text format, for the textfile collector of node_exporter.

Several commands may write one file for several stacks: each replaces its own metrics of its own stack, and keeps the
others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reconciler.app.status import AlarmState, StackStatus
from reconciler.apply.result import ApplyStatus, Result
from reconciler.checks.poll import CheckStatus
from reconciler.checks.result import Report
from reconciler.core.action import Action
from reconciler.core.desired import Kind
from reconciler.core.duration import in_seconds
from reconciler.core.operation import Status
from reconciler.drill.record import Record
from reconciler.ledger.protocol import Run, RunState
from reconciler.plan.plan import Change, Plan

_HELP = {
    "reconciler_alarms": "Alarms of the stack by state.",
    "reconciler_drifted_objects": "Addresses that changed at the service, not in the configuration.",
    "reconciler_pending_changes": "Changes that apply would make, by action.",
    "reconciler_last_plan_timestamp_seconds": "When the stack was last compared with its services.",
    "reconciler_last_apply_timestamp_seconds": "When the last apply or destroy ended.",
    "reconciler_last_apply_success": "Whether the last apply or destroy succeeded completely.",
    "reconciler_last_apply_duration_seconds": "How long the last apply or destroy took.",
    "reconciler_last_apply_operations": "Operations of the last apply or destroy, by outcome.",
    "reconciler_last_check_timestamp_seconds": "When a check last ended.",
    "reconciler_check_passed": "Whether a check passed; NaN if it could not be queried.",
    "reconciler_check_duration_seconds": "How long a check took.",
    "reconciler_canary_visible_seconds": "How long a canary took to be visible.",
    "reconciler_canary_cleared_seconds": "How long a canary took to be gone after its clear.",
    "reconciler_canary_delivered_seconds": "How long a canary's notification took to arrive.",
    "reconciler_canary_end_delivered_seconds": "How long the notification of a canary's end took to arrive.",
    "reconciler_last_drill_timestamp_seconds": "When a drill last ended.",
    "reconciler_drill_passed": "Whether every step and check of a drill's last run went well, and nothing was left.",
    "reconciler_drill_duration_seconds": "How long a drill's last run took.",
    "reconciler_drill_alarm_visible_seconds": "How long an alarm of a drill took to be visible.",
    "reconciler_drill_alarm_notified_seconds": "How long an alarm of a drill took to be notified.",
    "reconciler_drill_alarm_delivered_seconds": "How long an alarm's notification took to arrive at a receiver.",
    "reconciler_drill_alarm_cleared_seconds": "How long an alarm of a drill took to be gone after its end.",
    "reconciler_drill_alarm_end_delivered_seconds": "How long the notification of an alarm's end took to arrive.",
}

_STATES = {
    AlarmState.FIRING: "firing",
    AlarmState.SUPPRESSED: "suppressed",
    AlarmState.NOT_FIRING: "not_firing",
}
_SCOPES = ("stack", "check", "drill")
"""The labels that identify samples which are replaced together."""


class Sample(NamedTuple):
    """One value of a metric; its unit (seconds, or none) is part of the name."""

    name: str
    labels: Mapping[str, str]
    value: float


def plan_metrics(plan: Plan, last_apply: Run | None = None) -> list[Sample]:
    """The metrics of a plan, and of the last apply in the ledger."""
    stack = {"stack": plan.stack}
    found = [
        *_alarms(plan.stack, map(_state_before, plan.changes)),
        Sample("reconciler_drifted_objects", stack, sum(change.drift for change in plan.pending)),
        *_pending(stack, plan.counts),
        Sample("reconciler_last_plan_timestamp_seconds", stack, in_seconds(plan.planned_at)),
    ]
    return found if last_apply is None else [*found, *_run(plan.stack, last_apply)]


def status_metrics(status: StackStatus) -> list[Sample]:
    """The metrics of a status: those of a plan, with the suppressed alarms counted separately."""
    others = [sample for sample in plan_metrics(status.plan, status.last_apply) if sample.name != "reconciler_alarms"]
    return [*_alarms(status.stack, [alarm.state for alarm in status.alarms]), *others]


def result_metrics(result: Result) -> list[Sample]:
    """The metrics of an apply or destroy; a run without changes is a successful apply."""
    stack = {"stack": result.plan.stack}
    statuses = [outcome.status for outcome in result.outcomes.values()]
    begun = len(statuses)
    total = sum(1 for operation in result.plan.operations if not operation.only_if_duplicate)
    done = result.ending is ApplyStatus.COMPLETE and not result.remaining
    left = [change for change in result.plan.pending if result.status(change) is not Status.DONE]
    counts = {status.value: statuses.count(status) for status in Status} | {"not_started": max(total - begun, 0)}
    return [
        *_alarms(result.plan.stack, (_state_after(change, result) for change in result.plan.changes)),
        Sample("reconciler_drifted_objects", stack, sum(change.drift for change in left)),
        *_pending(stack, Counter(change.action for change in left)),
        Sample("reconciler_last_plan_timestamp_seconds", stack, in_seconds(result.plan.planned_at)),
        Sample("reconciler_last_apply_timestamp_seconds", stack, in_seconds(result.ended_at)),
        Sample("reconciler_last_apply_success", stack, done),
        Sample("reconciler_last_apply_duration_seconds", stack, in_seconds(result.ended_at - result.started_at)),
        *(
            Sample("reconciler_last_apply_operations", {**stack, "status": status}, number)
            for status, number in counts.items()
        ),
    ]


def check_metrics(report: Report) -> list[Sample]:
    """The metrics of the checks of a run."""
    found: list[Sample] = []
    for result in report.results:
        labels = {"stack": report.stack, "check": result.name}
        unknown = result.status not in (CheckStatus.PASSED, CheckStatus.FAILED)
        passed = float("nan") if unknown else float(result.status is CheckStatus.PASSED)
        found.append(Sample("reconciler_last_check_timestamp_seconds", labels, in_seconds(result.ended_at)))
        found.append(Sample("reconciler_check_passed", labels, passed))
        found.append(
            Sample("reconciler_check_duration_seconds", labels, in_seconds(result.ended_at - result.started_at))
        )
        outcome = result.outcome
        delivered = None if outcome.delivery is None else outcome.delivery.delivered_after
        resolved = None if outcome.delivery is None else outcome.delivery.resolved_after
        found += _latencies(
            labels,
            {
                "reconciler_canary_visible_seconds": outcome.visible_after,
                "reconciler_canary_cleared_seconds": outcome.gone_after,
                "reconciler_canary_delivered_seconds": delivered,
                "reconciler_canary_end_delivered_seconds": resolved,
            },
        )
    return found


def drill_metrics(record: Record, passed: bool) -> list[Sample]:
    """The metrics of a drill run."""
    labels = {"stack": record.stack, "drill": record.drill}
    ended = record.ended_at or record.began_at
    found = [
        Sample("reconciler_last_drill_timestamp_seconds", labels, in_seconds(ended)),
        Sample("reconciler_drill_passed", labels, passed),
        Sample("reconciler_drill_duration_seconds", labels, in_seconds(ended - record.began_at)),
    ]
    for sent in {sent.address: sent for sent in record.alarms}.values():
        found += _latencies(
            {**labels, "address": sent.address},
            {
                "reconciler_drill_alarm_visible_seconds": sent.visible_after,
                "reconciler_drill_alarm_notified_seconds": sent.notified_after,
                "reconciler_drill_alarm_delivered_seconds": sent.delivered_after,
                "reconciler_drill_alarm_cleared_seconds": sent.gone_after,
                "reconciler_drill_alarm_end_delivered_seconds": sent.resolved_after,
            },
        )
    return found


def merged(text: str, samples: Sequence[Sample]) -> str:
    """Merge samples into the text of a file.

    They replace the same command's samples of the same stack, check or drill; those of other stacks and of other
    commands stay.
    """
    known = list(parse(text))
    samples = [sample for sample in samples if not _is_older(sample, samples, known)]
    scopes = {_scope(sample) for sample in samples}
    groups = {_group(sample.name) for sample in samples}
    written = {sample.name for sample in samples}
    kept = [
        sample
        for sample in known
        if _scope(sample) not in scopes or (_group(sample.name) not in groups and sample.name not in written)
    ]
    return render([*kept, *samples])


_APPLIED = "reconciler_last_apply_"
_APPLIED_AT = "reconciler_last_apply_timestamp_seconds"


def _is_older(sample: Sample, samples: Sequence[Sample], known: Sequence[Sample]) -> bool:
    """Whether a sample is of an apply older than the one in the file, which may be in no ledger."""
    if not sample.name.startswith(_APPLIED):
        return False
    ended, before = (
        next((one.value for one in found if one.name == _APPLIED_AT and _scope(one) == _scope(sample)), 0.0)
        for found in (samples, known)
    )
    return ended < before


def render(samples: Iterable[Sample]) -> str:
    """The samples in Prometheus' text format, each family once, sorted."""
    families: dict[str, list[Sample]] = {}
    for sample in samples:
        families.setdefault(sample.name, []).append(sample)
    lines: list[str] = []
    for name in sorted(families):
        lines += [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} gauge"]
        lines += sorted(f"{name}{{{_labels(sample.labels)}}} {_number(sample.value)}" for sample in families[name])
    return "".join(f"{line}\n" for line in lines)


_LINE = re.compile(r"([a-z_]+)\{(.*)\} (\S+)")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def parse(text: str) -> Iterator[Sample]:
    """The samples in a file that ``render`` wrote; invalid lines are skipped."""
    for line in text.split("\n"):
        found = _LINE.fullmatch(line)
        if found is None or found[1] not in _HELP:
            continue
        labels = {name: _unescape(value) for name, value in _LABEL.findall(found[2])}
        try:
            yield Sample(found[1], labels, float(found[3]))
        except ValueError:
            continue


def _pending(stack: Mapping[str, str], counts: Mapping[Action, int]) -> Iterator[Sample]:
    for action in Action:
        if action is not Action.NO_OP:
            yield Sample("reconciler_pending_changes", {**stack, "action": action.value}, counts.get(action, 0))


def _alarms(stack: str, states: Iterable[AlarmState | None]) -> Iterator[Sample]:
    known = list(states)
    for state, word in _STATES.items():
        yield Sample("reconciler_alarms", {"stack": stack, "state": word}, known.count(state))


def _state_before(change: Change) -> AlarmState | None:
    """What is active at an address, as a plan observed it."""
    if change.before:
        if change.desired is not None and change.desired.kind is not Kind.ALARM:
            return None
        quiet = all(found.suppressed_by for found in change.before)
        return AlarmState.SUPPRESSED if quiet else AlarmState.FIRING
    wanted = change.desired is not None and change.desired.kind is Kind.ALARM and change.desired.firing
    return AlarmState.NOT_FIRING if wanted else None


def _state_after(change: Change, result: Result) -> AlarmState | None:
    """What is active at an address after a run."""
    if change.action is Action.NO_OP or result.status(change) is not Status.DONE:
        return _state_before(change)
    if change.desired is None or change.desired.kind is not Kind.ALARM or change.action is Action.CLEAR:
        return None
    return AlarmState.FIRING


def _run(stack: str, run: Run) -> Iterator[Sample]:
    labels = {"stack": stack}
    if run.ended_at is None:
        return
    yield Sample("reconciler_last_apply_timestamp_seconds", labels, in_seconds(run.ended_at))
    yield Sample("reconciler_last_apply_success", labels, run.state is RunState.DONE)
    yield Sample("reconciler_last_apply_duration_seconds", labels, in_seconds(run.ended_at - run.started_at))


def _latencies(labels: Mapping[str, str], found: Mapping[str, int | None]) -> Iterator[Sample]:
    return (Sample(name, labels, in_seconds(value)) for name, value in found.items() if value is not None)


def _scope(sample: Sample) -> tuple[str | None, ...]:
    return tuple(sample.labels.get(name) for name in _SCOPES)


def _group(name: str) -> str:
    """The group of commands that write a metric: its samples are replaced together."""
    if "check" in name or "canary" in name:
        return "check"
    if "drill" in name:
        return "drill"
    return name


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in sorted(labels.items()))


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _unescape(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], value)


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    return str(int(value)) if float(value).is_integer() else repr(float(value))
