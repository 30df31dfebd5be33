"""Drills as text: the list, previews, the progress of a run, and its report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from reconciler.app.drill import DrillPreview
from reconciler.core.duration import format_duration
from reconciler.core.observed import Observed
from reconciler.core.text import printable
from reconciler.drill.drill import Drill
from reconciler.drill.preconditions import described
from reconciler.drill.record import DrillStatus, Emission, LogEntry, Record, StepRecord, StepState
from reconciler.drill.spec import StepAction
from reconciler.views.phrases.drill import (
    Command,
    OverallStatus,
    bare_command,
    clear_again,
    death_told,
    headline,
    latency,
    listed_targets,
    moment,
    offset,
    places,
    slip,
    stages_shown,
    state_of,
    status_of,
)
from reconciler.views.phrases.plan import count
from reconciler.views.text.line import BLANK, Line, Style, line, pad, width

ACTIONS = {
    StepAction.RAISE: ("+", Style.ADD),
    StepAction.CLEAR: ("-", Style.CLEAR),
    StepAction.RECORD: ("*", Style.RECORD),
    StepAction.CHECK: ("?", Style.PLACE),
    StepAction.PAUSE: ("‖", Style.REPLACE),
    StepAction.NOTE: ("#", Style.DIM),
}
STATES = {
    StepState.WAITING: ("·", Style.DIM),
    StepState.RUNNING: ("▸", Style.WARNING),
    StepState.DONE: ("✓", Style.OK),
    StepState.FAILED: ("✗", Style.ERROR),
    StepState.SKIPPED: ("-", Style.WARNING),
}
STATUS_STYLES = {
    OverallStatus.OK: Style.OK,
    OverallStatus.FAILED: Style.ERROR,
    OverallStatus.STOPPED: Style.WARNING,
    OverallStatus.RUNNING: Style.WARNING,
}


def list_lines(drills: Sequence[tuple[str, Drill | None]], last: Mapping[str, Record]) -> Iterator[Line]:
    """Every drill with its length, its steps, and its last run."""
    if not drills:
        yield line("The stack has no drills; declare them under `drills`.")
        return
    column = max(width(printable(name)) for name, _ in drills) + 2
    for name, drill in drills:
        head = (pad(printable(name), column), Style.BOLD)
        if drill is None:
            yield line(head, ("what it does depends on a query: see `reconciler drill plan`", Style.DIM))
        else:
            about = f"{format_duration(drill.timeline.length)}, {count(len(drill.timeline.steps), 'step')}, "
            about += f"{count(len(drill.resources), 'resource')}"
            yield line(head, about, f"  {printable(drill.spec.description or '')}", hang=column)
        record = last.get(name)
        if record is not None:
            yield line(
                " " * column,
                (f"{moment(record.began_at)}: ", Style.DIM),
                (printable(headline(record)), STATUS_STYLES[status_of(record)]),
                hang=column,
            )


def preview_lines(preview: DrillPreview) -> Iterator[Line]:
    """The timeline with every payload."""
    drill = preview.drill
    spec = drill.spec
    yield line("Drill ", (printable(drill.name), Style.BOLD), f" of stack {printable(drill.stack)}.")
    if spec.description:
        yield line(printable(spec.description))
    yield line(
        f"It takes {format_duration(drill.timeline.length)}, and is over after {format_duration(spec.max_duration)}."
    )
    if spec.allowed.windows is not None:
        yield line(f"It may start {printable(' or '.join(map(described, spec.allowed.windows)))}.")
    if spec.checks_before:
        yield line(f"Before it these checks must pass: {printable(', '.join(spec.checks_before))}.")
    yield line("At ", printable(listed_targets(preview.targets)), ".", hang=2)
    yield BLANK
    for each in preview.steps:
        step = each.step
        sign, style = ACTIONS[step.action]
        follows = f"  (after {step.after})" if step.after else ""
        yield line(
            f"{offset(step.offset):>9}  ",
            (f"{sign} {step.action:<7}", style),
            (printable(step.name), Style.BOLD),
            f"  {printable(step.text or ', '.join(step.checks))}" if step.text or step.checks else "",
            (follows, Style.DIM),
            hang=13,
        )
        for item in each.items:
            yield line(" " * 13, printable(str(item.resource.address)), hang=15)
            if item.payload is not None:
                for text in json.dumps(json.loads(item.payload), indent=2, ensure_ascii=False).splitlines():
                    yield line(" " * 15, (printable(text), Style.DIM), hang=17)
    yield BLANK
    if spec.checks_after:
        yield line(f"After it, all being cleared, these must pass: {printable(', '.join(spec.checks_after))}.")
    if preview.problems:
        yield line(("It would not start now:", Style.ERROR))
        for problem in preview.problems:
            yield line("  ", printable(problem), hang=2)


def remark_line(record: Record, remark: LogEntry) -> Line:
    """A log line of a running drill."""
    when = "before" if record.started_at is None else offset(record.at(remark.at))
    return line((f"{when:>9}  ", Style.DIM), printable(remark.text), hang=11)


def record_lines(record: Record, command: Command = bare_command) -> Iterator[Line]:
    """The report of a run: its steps, alarms, checks and leftovers, and a summary line."""
    kind = "Rehearsal" if record.rehearsal else "Run"
    yield line(
        f"{kind} ",
        (printable(record.run), Style.BOLD),
        f" of drill {printable(record.drill)}, by {printable(str(record.origin))}, ",
        moment(record.began_at),
    )
    if record.targets:
        yield line("At ", printable(places(record)), ".", hang=2)
    for death in record.deaths:
        yield line((printable(death_told(record, death)), Style.WARNING), hang=2)
    if record.started_at is not None:
        yield BLANK
        yield from step_lines(record)
    if record.emissions:
        yield BLANK
        yield from sent_lines(record)
    if record.failed_checks:
        yield BLANK
        for check in record.failed_checks:
            yield line(
                ("✗ ", Style.ERROR),
                (printable(check.name), Style.BOLD),
                f" {check.status}: {printable(check.reason)}",
                hang=2,
            )
    if record.leftovers:
        yield BLANK
        yield line(("Not cleared, or not known to be:", Style.ERROR))
        for left in record.leftovers:
            yield line("  ", printable(left), hang=4)
    again = clear_again(record, command)
    if again is not None:
        yield line("To clear what is left: ", (printable(again), Style.BOLD))
    yield BLANK
    yield line((printable(headline(record)), STATUS_STYLES[status_of(record)]))


def step_lines(record: Record) -> Iterator[Line]:
    """The timeline with what happened."""
    column = max((width(printable(step.name)) for step in record.steps), default=0) + 2
    for step in record.steps:
        yield _step(step, column)


def _step(step: StepRecord, column: int) -> Line:
    sign, style = STATES[step.state]
    late = slip(step)
    told = step.outcome or step.about
    return line(
        f"{offset(step.planned):>9}  ",
        (f"{sign} ", style),
        (f"{step.action:<7}", ACTIONS[step.action][1]),
        (pad(printable(step.name), column), Style.BOLD),
        (f"{late}  " if late else "", Style.WARNING),
        printable(told),
        hang=20 + column,
    )


def sent_lines(record: Record) -> Iterator[Line]:
    """Raised alarms and recorded events, with latencies and what ended them."""
    stages = stages_shown(record)
    first = max(width(printable(sent.address)) for sent in record.emissions) + 2
    hang = first + sum(len(stage.name) + 2 for stage in stages)
    yield line((" " * first + "".join(f"{stage.name}  " for stage in stages) + "ended by", Style.DIM))
    for sent in record.emissions:
        took = "".join(f"{latency(stage.measure(sent)):<{len(stage.name) + 2}}" for stage in stages)
        yield line(pad(printable(sent.address), first), took, printable(_end(record, sent)), hang=hang)


def _end(record: Record, sent: Emission) -> str:
    if sent.push_error:
        return f"{state_of(sent)}: {sent.push_error}"
    if sent.ended_by is None:
        return state_of(sent)
    gone = "" if sent.gone_at is not None else ", not confirmed"
    return f"{sent.ended_by}, {offset(record.at(sent.ended_at or 0))}{gone}"


def status_lines(
    records: Sequence[Record],
    active: Mapping[str, Sequence[Observed]],
    query_error: str | None,
    command: Command = bare_command,
) -> Iterator[Line]:
    """The last run of each drill, and the alarms of each drill that are active now."""
    if not records and not any(active.values()):
        yield line("No drill run is on record here.")
    for record in records:
        yield line(
            (printable(record.drill), Style.BOLD),
            "  ",
            (printable(headline(record)), STATUS_STYLES[status_of(record)]),
            hang=2,
        )
        began = f"run {record.run}{', a rehearsal' if record.rehearsal else ''}, begun {moment(record.began_at)}"
        who = f"{record.who} on {record.host} (process {record.pid}){record.origin.where}"
        yield line(f"  {printable(began)} by {printable(who)}")
        if record.targets:
            yield line("  at ", printable(places(record)), hang=4)
        if record.ending is DrillStatus.DIED and not record.rehearsal:
            yield line(f"  resume it: {printable(command(f'drill resume {record.drill}'))}")
            yield line(f"  or clear it: {printable(command(f'drill abort {record.drill}'))}")
        waiting = next((step for step in record.steps if step.state in (StepState.WAITING, StepState.RUNNING)), None)
        if not record.over and waiting is not None:
            yield line(f"  next: {printable(waiting.name)}, planned at {offset(waiting.planned)}")
    found = {name: alarms for name, alarms in active.items() if alarms}
    for name, alarms in found.items():
        yield line((f"{count(len(alarms), 'alarm')} of drill {printable(name)} active now:", Style.WARNING))
        for alarm in alarms:
            yield line("  ", printable(str(alarm.marks.address)), f"  since {moment(alarm.starts_at)}", hang=4)
    if query_error is not None:
        yield line(("Could not query active alarms: ", Style.ERROR), printable(query_error))
    elif not found:
        yield line("No alarm of a drill is active.")
