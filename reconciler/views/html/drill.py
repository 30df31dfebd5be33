"""The report of a run as one page that stands alone: no script, nothing from elsewhere, every string escaped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median

from reconciler.core.duration import rough_duration
from reconciler.drill.record import CheckRecord, Emission, Record, StepRecord, StepState
from reconciler.views.html.timeline import hue_of, style, text, timeline_svg
from reconciler.views.phrases.drill import (
    Status,
    headline,
    latency,
    moment,
    offset,
    places,
    slip,
    state_of,
    status_of,
)

_SIGNS = {Status.OK: "✓", Status.FAILED: "✗", Status.STOPPED: "◼", Status.RUNNING: "▸"}
_STATES = {StepState.DONE: "good", StepState.FAILED: "bad", StepState.SKIPPED: "odd"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_SHOWN = 10

Cell = tuple[str, str, str]
"""A label, the HTML of the cell, and its class."""


def record_html(record: Record) -> str:
    """The whole page."""
    title = f"{record.drill} · {record.stack} · {moment(record.began_at)}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{text(title)}</title>",
            f"<style>{style()}</style>",
            "</head>",
            "<body>",
            "<main>",
            *_header(record),
            *_facts(record),
            *_left(record),
            *_timeline(record),
            *_alarms(record),
            *_steps(record),
            *_checks(record),
            *_log(record),
            *_footer(record),
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _header(record: Record) -> Iterator[str]:
    kind = f"Rehearsal on the emulator at {record.speed:g}× speed" if record.rehearsal else "Game day"
    look = status_of(record)
    yield "<header>"
    yield f'<p class="eyebrow">{text(kind)} · stack {text(record.stack)} · {text(moment(record.began_at))}</p>'
    yield f"<h1>{text(record.drill)}</h1>"
    if record.description:
        yield f'<p class="about">{text(record.description)}</p>'
    if record.targets:
        yield f'<p class="about">At {text(places(record))}.</p>'
    yield f'<p class="banner {look}"><span class="sign">{_SIGNS[look]}</span><span>{text(headline(record))}</span></p>'
    yield "</header>"


def _facts(record: Record) -> Iterator[str]:
    alarms = [sent for sent in record.alarms if not sent.unsent]
    cleared = sum(not sent.active for sent in alarms)
    passed = len(record.checks) - len(record.failed_checks)
    slips = [step.slip for step in record.steps if step.slip is not None]
    took = (record.ended_at or record.log[-1].at if record.log else record.began_at) - (
        record.started_at or record.began_at
    )
    facts = [
        ("Alarms cleared", f'{cleared}<small class="inline"> of {len(alarms)}</small>'),
        ("Push to visible", _spread([sent.visible_after for sent in alarms])),
        ("Push to notified", _spread([sent.notified_after for sent in alarms])),
        ("Checks passed", f'{passed}<small class="inline"> of {len(record.checks)}</small>'),
        ("Greatest slip", f"{text(latency(max(slips)))}" if slips else "–"),
        ("Duration", text(rough_duration(max(took, 0)))),
    ]
    yield '<dl class="facts">'
    yield from (f"<div><dt>{label}</dt><dd>{value}</dd></div>" for label, value in facts)
    yield "</dl>"


def _spread(values: list[int | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    return f"{text(latency(round(median(known))))}<small> median, {text(latency(max(known)))} most</small>"


def _left(record: Record) -> Iterator[str]:
    if record.leftovers:
        yield '<section class="left"><h2 class="bad">Not cleared, or not known to be</h2><ul>'
        yield from (f"<li>{text(left)}</li>" for left in record.leftovers)
        yield "</ul></section>"


def _timeline(record: Record) -> Iterator[str]:
    if record.started_at is None and not record.emissions:
        return
    yield "<section><h2>Timeline</h2>"
    yield timeline_svg(record)
    severities = dict.fromkeys(sent.severity or "" for sent in record.alarms)
    legend = [f'<i class="{hue_of(severity)}"></i>{text(severity or "alarm")}' for severity in severities]
    legend += ['<i class="event"></i>event'] if any(sent.is_event for sent in record.emissions) else []
    if record.alarms:
        legend += [
            '<i class="faded"></i>pushed and not visible yet, cleared and not gone yet',
            '<i class="ring"></i>notified',
        ]
    legend += ['<i class="held"></i>a pause'] if any(step.action == "pause" for step in record.steps) else []
    legend += ["+ raise, − clear, * record, ? check, ‖ pause, i note"]
    yield f'<ul class="legend">{"".join(f"<li>{each}</li>" for each in legend)}</ul></section>'


def _alarms(record: Record) -> Iterator[str]:
    if record.emissions:
        yield "<section><h2>What was raised and recorded</h2>"
        heads = ("Alarm or event", "Raised", "Visible after", "Notified after", "Ended", "By")
        yield from _table(heads, [_alarm(record, sent) for sent in record.emissions])
        yield "</section>"


def _alarm(record: Record, sent: Emission) -> list[Cell]:
    hue = "event" if sent.is_event else hue_of(sent.severity)
    name = f'<span class="sev {hue}"></span><code>{text(sent.address)}</code>'
    name += f"<br><small>{text(sent.severity or '')} {text(sent.name)}</small>"
    ended = text(offset(record.at(sent.ended_at))) if sent.ended_at is not None else "–"
    if sent.trouble:
        by = f'<span class="bad">{text(state_of(sent))}: {text(sent.trouble)}</span>'
    elif sent.active:
        by = f'<span class="chip {"bad" if record.over else "running"}">{text(state_of(sent))}</span>'
    else:
        by = text(sent.ended_by or state_of(sent))
        by += (
            "<br><small>not confirmed to be gone</small>" if sent.ended_at is not None and sent.gone_at is None else ""
        )
    notified = text(latency(sent.notified_after))
    notified += f"<br><small>{text(sent.notified)}</small>" if sent.notified else ""
    return [
        ("", name, "head"),
        ("Raised", f"{text(offset(record.at(sent.sent_at)))}<br><small>{text(sent.step)}</small>", "tight"),
        ("Visible after", text(latency(sent.visible_after)), "tight"),
        ("Notified after", notified, ""),
        ("Ended", ended, "tight"),
        ("By", by, ""),
    ]


def _steps(record: Record) -> Iterator[str]:
    if record.steps:
        yield "<section><h2>Steps</h2>"
        yield from _table(("Planned", "Began", "Step", "", "Outcome"), [_step(record, step) for step in record.steps])
        yield "</section>"


def _step(record: Record, step: StepRecord) -> list[Cell]:
    began = text(offset(record.at(step.started_at))) if step.started_at is not None else "–"
    late = slip(step)
    began += f'<br><small class="odd">{text(late)}</small>' if late else ""
    about = f"<br><small>{text(step.about)}</small>" if step.about and step.about != step.outcome else ""
    return [
        ("Planned", text(offset(step.planned)), "tight"),
        ("Began", began, "tight"),
        ("Step", f"{text(step.name)} <small>{text(step.action)}</small>{about}", ""),
        ("", f'<span class="chip {_STATES.get(step.state, "running")}">{text(step.state)}</span>', "tight"),
        ("Outcome", text(step.outcome or "–"), ""),
    ]


def _checks(record: Record) -> Iterator[str]:
    if record.checks:
        yield "<section><h2>Checks</h2>"
        yield from _table(("When", "Check", "", "Evidence"), [_check(record, check) for check in record.checks])
        yield "</section>"


def _check(record: Record, check: CheckRecord) -> list[Cell]:
    good = check.status == "passed"
    description = f"<br><small>{text(check.description)}</small>" if check.description else ""
    evidence = text(check.reason)
    if check.items:
        items = [f"<li><code>{text(json.dumps(item, ensure_ascii=False))}</code></li>" for item in check.items[:_SHOWN]]
        more = f"<li>and {len(check.items) - _SHOWN} more</li>" if len(check.items) > _SHOWN else ""
        evidence += f'<ul class="evidence">{"".join(items)}{more}</ul>'
    when = check.phase if check.phase in ("before", "after") else offset(record.at(check.started_at))
    return [
        ("When", text(when), "tight"),
        ("Check", f"{text(check.name)}{description}", ""),
        ("", f'<span class="chip {"good" if good else "bad"}">{text(check.status)}</span>', "tight"),
        ("Evidence", evidence, ""),
    ]


def _table(heads: tuple[str, ...], rows: list[list[Cell]]) -> Iterator[str]:
    yield f"<table><thead><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead><tbody>"
    for row in rows:
        cells = "".join(
            f'<td data-label="{label}"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}><div>{html}</div></td>'
            for label, html, kind in row
        )
        yield f"<tr>{cells}</tr>"
    yield "</tbody></table>"


def _log(record: Record) -> Iterator[str]:
    yield "<section><details><summary>Log of the run</summary>"
    yield '<ol class="log">'
    for remark in record.log:
        yield f"<li><small>{text(offset(record.at(remark.at)))}</small><span>{text(remark.text)}</span></li>"
    yield "</ol></details></section>"


def _footer(record: Record) -> Iterator[str]:
    yield (
        f"<footer>Run <code>{text(record.run)}</code> by {text(str(record.origin))}, "
        f"{text(moment(record.began_at))} to {text(moment(record.ended_at))}. Times are offsets from the "
        "beginning of the timeline. Alarms of this drill carry the stack mark "
        f"<code>{text(record.stack)}/{text(record.drill)}</code>.</footer>"
    )
