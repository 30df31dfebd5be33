"""The report of a run as one self-contained page: no script, every string escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import median
from typing import NamedTuple

from reconciler.core.duration import SECOND, rough_duration
from reconciler.drill.record import CheckRecord, Record, StepRecord, StepState
from reconciler.drill.spec import StepAction
from reconciler.views.html.alarms import alarms_html
from reconciler.views.html.evidence import evidence_html
from reconciler.views.html.lanes import known_values
from reconciler.views.html.text import Cell, asset, fill_slots, slot, source_hash, table, text
from reconciler.views.html.timeline import hue_of, timeline_html
from reconciler.views.phrases.drill import (
    OverallStatus,
    death_told,
    headline,
    latency,
    moment,
    offset,
    places,
    slip,
    status_of,
)

_SIGNS = {OverallStatus.OK: "✓", OverallStatus.FAILED: "✗", OverallStatus.STOPPED: "◼", OverallStatus.RUNNING: "▸"}
_STATES = {StepState.DONE: "good", StepState.FAILED: "bad", StepState.SKIPPED: "odd", StepState.WAITING: "idle"}


class PageSections(NamedTuple):
    """A page in parts: the content of each section, and that of the lanes that can be opened, both by slot key."""

    main: dict[str, str]
    inside: dict[str, str]


def record_html(record: Record) -> str:
    """The whole page."""
    sections = record_sections(record, record.last_at)
    main = "\n".join(fill_slots(slot(key), {key: content}) for key, content in sections.main.items())
    return document_html(record, f"<main>\n{fill_slots(main, sections.inside)}\n</main>")


def document_html(record: Record, body: str, *, script: str = "") -> str:
    """A page about a run."""
    return page_html(f"{record.drill} · {record.stack} · {moment(record.began_at)}", body, script=script)


def page_html(title: str, body: str, *, script: str = "") -> str:
    """A document that permits only its own style sheet and script."""
    css = asset("page.css")
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy(css, script)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{text(title)}</title>",
            f"<style>{css}</style>",
            "</head>",
            "<body>",
            body,
            *([f"<script>{script}</script>"] if script else []),
            "</body>",
            "</html>",
            "",
        ]
    )


def policy(css: str, script: str = "") -> str:
    """The content security policy of a page; one with a script may make requests to its own origin."""
    rules = ["default-src 'none'", f"style-src {source_hash(css)}", "base-uri 'none'", "form-action 'none'"]
    rules += [f"script-src {source_hash(script)}", "connect-src 'self'"] if script else []
    return "; ".join(rules)


def record_sections(record: Record, now: int, *, growing: bool = False) -> PageSections:
    """The parts of the page; ``now`` and ``growing`` are those of the timeline."""
    timeline, rows = timeline_html(record, now, growing=growing)
    alarms, tables = alarms_html(record)
    begun = record.started_at is not None or bool(record.emissions)
    main: dict[str, Iterable[str]] = {
        "header": _header(record),
        "facts": _key_figures(record, now),
        "left": _left(record),
        "timeline": _timeline(record, timeline) if begun else (),
        "alarms": [alarms],
        "steps": _steps(record),
        "checks": _checks(record),
        "log": _log(record),
        "footer": _footer(record),
    }
    return PageSections({key: "\n".join(lines) for key, lines in main.items()}, {**(rows if begun else {}), **tables})


def _header(record: Record) -> Iterator[str]:
    kind = f"Rehearsal on the emulator at {record.speed:g}× speed" if record.rehearsal else "Game day"
    status = status_of(record)
    yield "<header>"
    yield f'<p class="eyebrow">{text(kind)} · stack {text(record.stack)} · {text(moment(record.began_at))}</p>'
    yield f"<h1>{text(record.drill)}</h1>"
    if record.description:
        yield f'<p class="about">{text(record.description)}</p>'
    if record.targets:
        yield f'<p class="places">At {text(places(record))}</p>'
    sign = f'<span class="sign">{_SIGNS[status]}</span>'
    yield f'<p class="banner {status}">{sign}<span>{text(headline(record))}</span></p>'
    for death in record.deaths:
        told = text(death_told(record, death))
        yield f'<p class="banner odd death"><span class="sign">†</span><span>{told}</span></p>'
    yield "</header>"


def _key_figures(record: Record, now: int) -> Iterator[str]:
    alarms = [sent for sent in record.alarms if not sent.unsent]
    cleared = sum(not sent.active for sent in alarms)
    passed = len(record.checks) - len(record.failed_checks)
    slips = [step.slip for step in record.steps if step.slip is not None]
    took = (record.ended_at or now) - (record.started_at or record.began_at)
    delivered = [sent.delivered_after for sent in alarms]
    facts = [
        ("Alarms cleared", f'{cleared}<small class="inline"> of {len(alarms)}</small>'),
        ("Push to shown", _spread(sent.visible_after for sent in alarms)),
        ("Push to notified", _spread(sent.notified_after for sent in alarms)),
        *([("Push to delivered", _spread(delivered))] if known_values(delivered) else []),
        ("Clear to gone", _spread(sent.gone_after for sent in alarms)),
        *([("End to delivered", _spread(sent.resolved_after for sent in alarms))] if known_values(delivered) else []),
        ("Checks passed", f'{passed}<small class="inline"> of {len(record.checks)}</small>'),
        ("Greatest slip", f"{text(latency(max(slips)))}" if slips else "–"),
        ("Duration", text(rough_duration(max(took, 0) if record.over else max(took, 0) // SECOND * SECOND))),
    ]
    yield '<dl class="facts">'
    yield from (f"<div><dt>{label}</dt><dd>{value}</dd></div>" for label, value in facts)
    yield "</dl>"


def _spread(values: Iterable[int | None]) -> str:
    known = known_values(values)
    if not known:
        return "–"
    if len(known) == 1:
        return text(latency(known[0]))
    middle, most = latency(round(median(known))), latency(max(known))
    return f"{text(middle)}<small>median, {text(most)} at most</small>"


def _left(record: Record) -> Iterator[str]:
    if record.leftovers:
        yield '<section class="left"><h2 class="bad">Not cleared, or not known to be</h2><ul>'
        yield from (f"<li>{text(left)}</li>" for left in record.leftovers)
        yield "</ul></section>"


def _timeline(record: Record, drawing: str) -> Iterator[str]:
    yield "<section><h2>Timeline</h2>"
    yield drawing
    severities = dict.fromkeys(sent.severity or "" for sent in record.alarms)
    legend = [f'<i class="{hue_of(severity)}"></i>{text(severity or "alarm")}' for severity in severities]
    legend += ['<i class="event"></i>event'] if any(sent.is_event for sent in record.emissions) else []
    if record.alarms:
        legend += ['<i class="faded"></i>not shown yet, or not gone yet', '<i class="ring"></i>notified']
    if any(sent.delivered_at is not None for sent in record.emissions):
        legend.append('<i class="point"></i>delivered')
    legend += ['<i class="held"></i>pause'] if any(step.action == "pause" for step in record.steps) else []
    legend += ['<i class="crashed"></i>process dead'] if record.deaths else []
    legend += ["+ raise", "− clear", "* record", "? check", "‖ pause", "i note"]
    yield f'<ul class="legend">{"".join(f"<li>{each}</li>" for each in legend)}</ul></section>'


def _steps(record: Record) -> Iterator[str]:
    if record.steps:
        yield '<section class="steps"><h2>Steps</h2>'
        yield from table([_step(record, step) for step in record.steps])
        yield "</section>"


def _step(record: Record, step: StepRecord) -> list[Cell]:
    began = text(offset(record.at(step.started_at))) if step.started_at is not None else "–"
    late = slip(step)
    began += f' <br><small class="odd">{text(late)}</small>' if late else ""
    about = step.about if step.action in (StepAction.PAUSE, StepAction.NOTE) else _first(step.about)
    shown = f"<br><small>{text(about)}</small>" if about and about != step.outcome else ""
    return [
        Cell("Planned", text(offset(step.planned)), "tight when"),
        Cell("Began", began, "tight when"),
        Cell("Step", f"{text(step.name)} <small>{text(step.action)}</small>{shown}", "what"),
        Cell("", f'<span class="chip {_STATES.get(step.state, "running")}">{text(step.state)}</span>', "tight state"),
        Cell("Outcome", text(step.outcome or "–"), "outcome"),
    ]


def _first(names: str) -> str:
    """The first of many addresses or checks, and the number of the others."""
    words = names.split(", ")
    return names if len(words) <= 4 else f"{', '.join(words[:3])} and {len(words) - 3} more"


def _checks(record: Record) -> Iterator[str]:
    if record.checks:
        yield '<section class="checks"><h2>Checks</h2>'
        yield from table([_check(record, check) for check in record.checks])
        yield "</section>"


def _check(record: Record, check: CheckRecord) -> list[Cell]:
    description = f"<br><small>{text(check.description)}</small>" if check.description else ""
    state = "good" if check.status == "passed" else "bad"
    when = check.phase if check.phase in ("before", "after") else offset(record.at(check.started_at))
    return [
        Cell("When", text(when), "tight when"),
        Cell("Check", f"{text(check.name)}{description}", "what"),
        Cell("", f'<span class="chip {state}">{text(check.status)}</span>', "tight state"),
        Cell("Evidence", text(check.reason) + evidence_html(check.items), "outcome"),
    ]


def _log(record: Record) -> Iterator[str]:
    yield '<section><details data-key="log"><summary>Log of the run</summary>'
    yield '<ol class="log">'
    for remark in record.log:
        yield f"<li><small>{text(offset(record.at(remark.at)))}</small><span>{text(remark.text)}</span></li>"
    yield "</ol></details></section>"


def _footer(record: Record) -> Iterator[str]:
    until = f", {moment(record.began_at)} to {moment(record.ended_at)}" if record.over else ""
    yield (
        f"<footer>Run <code>{text(record.run)}</code> by {text(str(record.origin))}{text(until)}. "
        "Times are offsets from the beginning of the timeline. Alarms of this drill carry the stack mark "
        f"<code>{text(record.stack)}/{text(record.drill)}</code>.</footer>"
    )
