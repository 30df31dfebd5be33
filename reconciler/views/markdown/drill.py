"""Drills as Markdown: the report of a run for the notes of a game day, and what a drill would do."""

from __future__ import annotations

import json
from collections.abc import Iterator

from reconciler.app.drill import DrillPreview
from reconciler.core.duration import format_duration
from reconciler.core.text import escape_markdown as escape
from reconciler.core.text import printable
from reconciler.drill.record import Record, StepState
from reconciler.views.markdown.text import LIMIT, code, details, fenced
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

_SIGNS = {OverallStatus.OK: "✅", OverallStatus.FAILED: "❌", OverallStatus.STOPPED: "⏹", OverallStatus.RUNNING: "⏳"}
_STATES = {
    StepState.DONE: "✅",
    StepState.FAILED: "❌",
    StepState.SKIPPED: "⏭",
    StepState.RUNNING: "⏳",
    StepState.WAITING: "·",
}
_LONGEST = 500


def record_markdown(record: Record, command: Command = bare_command, limit: int = LIMIT) -> str:
    """The report of a run in at most ``limit`` characters."""
    kind = "Rehearsal of" if record.rehearsal else "Game day"
    lines = [
        f"## {kind} {code(record.drill)} ({escape(record.stack)})",
        "",
        f"{_SIGNS[status_of(record)]} **{escape(headline(record))}**",
        "",
    ]
    if record.description:
        lines += [escape(record.description), ""]
    lines += [
        f"Run {code(record.run)}, by {escape(str(record.origin))}, from {moment(record.began_at)} to "
        f"{moment(record.ended_at)}." + (f" At {escape(places(record))}." if record.targets else ""),
        "",
    ]
    for death in record.deaths:
        lines += [escape(death_told(record, death)), ""]
    room = limit - sum(len(text) + 1 for text in lines) - 200
    left_out = 0
    for text in _body(record, command):
        room -= len(text) + 1
        if room < 0:
            left_out += 1
        else:
            lines.append(text)
    if left_out:
        lines += ["", f"{count(left_out, 'more line')} left out: this comment cannot hold them."]
    return "\n".join(lines).rstrip("\n") + "\n"


def _body(record: Record, command: Command) -> Iterator[str]:
    if record.leftovers:
        yield "**Not cleared, or not known to be:**"
        yield ""
        yield from (f"- {escape(left)}" for left in record.leftovers)
        yield ""
        again = clear_again(record, command)
        if again is not None:
            yield from (f"To clear what is left: {code(again)}", "")
    if record.steps:
        yield "| planned | began | | step | |"
        yield "|---|---|---|---|---|"
        for step in record.steps:
            began = offset(record.at(step.started_at)) if step.started_at is not None else "–"
            late = f" ({slip(step)})" if slip(step) else ""
            told = _short(step.outcome or step.about)
            yield (
                f"| {offset(step.planned)} | {began}{late} | {_STATES[step.state]} {step.action} | {escape(step.name)} "
                f"| {escape(told)} |"
            )
        yield ""
    if record.emissions:
        stages = stages_shown(record)
        yield f"| alarm or event | pushed | {' | '.join(stage.name for stage in stages)} | ended by |"
        yield f"|---|---|{'---|' * len(stages)}---|"
        for sent in record.emissions:
            took = " | ".join(latency(stage.measure(sent)) for stage in stages)
            end = sent.push_error or sent.ended_by or state_of(sent)
            at = f" {offset(record.at(sent.ended_at))}" if sent.ended_at is not None else ""
            name = code(sent.address).replace("|", "¦")
            yield (
                f"| {name} {escape(sent.severity or '')} | {offset(record.at(sent.sent_at))} "
                f"| {took} | {escape(_short(end))}{at} |"
            )
        yield ""
    if record.checks:
        yield "| when | check | | |"
        yield "|---|---|---|---|"
        for check in record.checks:
            sign = "✅" if check.status == "passed" else "❌"
            status = f"{sign} {check.status}"
            yield f"| {escape(check.phase)} | {escape(check.name)} | {status} | {escape(_short(check.reason))} |"


def preview_markdown(preview: DrillPreview) -> str:
    """The timeline of a drill, each payload collapsed."""
    drill = preview.drill
    lines = [f"## Drill {code(drill.name)} ({escape(drill.stack)})", ""]
    if drill.spec.description:
        lines += [escape(drill.spec.description), ""]
    lines += [
        f"It takes {format_duration(drill.timeline.length)}; at the latest after "
        f"{format_duration(drill.spec.max_duration)} everything is cleared. "
        f"At {escape(listed_targets(preview.targets))}.",
        "",
    ]
    lines += ["| at | | step | |", "|---|---|---|---|"]
    for each in preview.steps:
        step = each.step
        what = step.text or ", ".join([*step.checks, *(str(item.resource.address) for item in each.items)])
        lines.append(f"| {offset(step.offset)} | {step.action} | {escape(step.name)} | {escape(what)} |")
    lines.append("")
    for each in preview.steps:
        for item in each.items:
            if item.payload is not None:
                shown = json.dumps(json.loads(item.payload), indent=2, ensure_ascii=False).splitlines()
                summary = escape(f"{each.step.name}: {item.resource.address}")
                lines += details(summary, fenced("json", list(map(printable, shown))))
    lines += [f"- would not start now: {escape(problem)}" for problem in preview.problems]
    return "\n".join(lines).rstrip("\n") + "\n"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
