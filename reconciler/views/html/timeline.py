"""The timeline of a run: a line of steps, then a lane for each alarm, event, or for_each, drawn as inline SVG.

Positions on the axis are percentages, so that the drawing fits any width while its texts keep their size.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.duration import HOUR, MINUTE, SECOND
from reconciler.drill.record import CheckRecord, Emission, Record, StepRecord, StepState
from reconciler.drill.spec import StepAction
from reconciler.views.html.lanes import Lane, lanes_of, summary
from reconciler.views.html.text import slot, text
from reconciler.views.phrases.drill import death_told, latency, moment, offset

_NICE = [
    *(number * SECOND for number in (1, 2, 5, 10, 15, 30)),
    *(number * MINUTE for number in (1, 2, 5, 10, 15, 30)),
    *(number * HOUR for number in (1, 2, 3, 6, 12, 24, 48)),
]
_MOST_TICKS = 6
_HEAD = 64
_BAR = 12
_ROW = 16
_AREA = 40
_AREA_PARTS = 300
"""The resolution, as a number of columns, in which the number of active alarms is drawn."""
MARGIN = 1.5
"""Margin (percent of the width) at each side for what is drawn on the edge."""
_HOLD = 15 * SECOND
"""The granularity of the shift of later steps by a pause, so that the drawing does not change all the time."""
_SIGNS = {
    StepAction.RAISE: "+",
    StepAction.CLEAR: "−",
    StepAction.RECORD: "*",
    StepAction.CHECK: "?",
    StepAction.PAUSE: "‖",
    StepAction.NOTE: "i",
}


def timeline_html(record: Record, now: int, *, growing: bool = False) -> tuple[str, dict[str, str]]:
    """The whole drawing, and the content of the lanes that can be opened, by slot key.

    Active alarms are drawn until ``now`` (epoch ms). With ``growing`` a script draws them further.
    """
    scale = Scale(record, now, growing=growing)
    told = (
        f"Timeline of {record.drill}: {len(record.alarms)} alarms, {len(record.steps)} steps, {offset(scale.end)} long"
    )
    inside: dict[str, str] = {}
    parts = [
        f'<div class="timeline" data-end="{scale.end}" role="group" aria-label="{text(told)}">',
        *_background(record, scale),
        *_head(record, scale),
    ]
    for lane in lanes_of(record.emissions):
        if not lane.is_group:
            parts += _row(record, lane, scale)
            continue
        key = f"lane {lane.address}"
        rows = (Lane(sent.address, (sent,)) for sent in lane.emissions)
        inside[key] = "\n".join(part for row in rows for part in _row(record, row, scale))
        parts += _group(record, lane, scale, key)
    return "\n".join([*parts, "</div>"]), inside


class Scale:
    """From offsets (ms) to percentages of the width."""

    def __init__(self, record: Record, now: int, *, growing: bool = False) -> None:
        known = [record.cleared_at, *(step.ended_at for step in record.steps)]
        known += [
            instant
            for sent in record.emissions
            for instant in (sent.ended_at, sent.gone_at, sent.seen_at, sent.sent_at, sent.resolved_at)
        ]
        known += [death.found_at for death in record.deaths]
        known += [] if record.over else [now]
        last = max((record.at(instant) for instant in known if instant is not None), default=0)
        self.held = record.paused_for + _held_now(record, now)
        waiting = [step.planned + self.held for step in record.steps] if not record.over else []
        self.end = max([last, *waiting, SECOND])
        self.now = self.end if record.over else max(0, record.at(now))
        self.growing = growing and not record.over

    def __call__(self, milliseconds: int) -> str:
        return f"{self.percent(milliseconds):.3f}%"

    def percent(self, milliseconds: int) -> float:
        return MARGIN + (100 - 2 * MARGIN) * min(max(milliseconds, 0), self.end) / self.end

    def bar(self, kind: str, begin: int, end: int | None, y: str | int, height: str | int, *, title: str = "") -> str:
        """A bar from one offset to another (None: the current time), wide enough to be visible."""
        grows = end is None and self.growing
        until = self.now if end is None else end
        width = 0.25 if grows else max(self.percent(until) - self.percent(begin), 0.25)
        inner = f"<title>{text(title)}</title>" if title else ""
        more = f' data-from="{begin}"' if grows else ""
        place = f'x="{self(begin)}" width="{width:.3f}%" y="{y}" height="{height}"'
        radius = min(3, height // 2) if isinstance(height, int) else 0
        return f'<rect class="{kind}" {place} rx="{radius}"{more}>{inner}</rect>'

    def ticks(self) -> list[int]:
        step = next((nice for nice in _NICE if self.end / nice <= _MOST_TICKS), self.end)
        return list(range(0, self.end + 1, step))


def _held_now(record: Record, now: int) -> int:
    """How long (ms, rounded) a pause that waits for an answer has delayed the later steps."""
    pauses = (step for step in record.steps if step.action is StepAction.PAUSE)
    waiting = next((step for step in pauses if step.state is StepState.RUNNING), None)
    if waiting is None or waiting.started_at is None:
        return 0
    return -(-max(0, now - waiting.started_at) // _HOLD) * _HOLD


def _background(record: Record, scale: Scale) -> Iterator[str]:
    """The background of all lanes: the grid, pauses, crashes, and where each step began."""
    yield '<svg class="back" aria-hidden="true">'
    for tick in scale.ticks():
        yield f'<line class="grid" x1="{scale(tick)}" x2="{scale(tick)}" y1="20" y2="100%"/>'
    for step in record.steps:
        if step.action is StepAction.PAUSE and step.started_at is not None:
            end = record.at(step.ended_at) if step.ended_at is not None else None
            yield scale.bar("hold", record.at(step.started_at), end, 20, "100%", title=f"{step.name}: {step.about}")
    for death in record.deaths:
        told = death_told(record, death)
        yield scale.bar("dead", record.at(death.last_at), record.at(death.found_at), 20, "100%", title=told)
    for share, y, _ in _marks(record, scale):
        yield f'<line class="stem" x1="{share:.3f}%" x2="{share:.3f}%" y1="{y}" y2="100%"/>'
    if not record.over and record.started_at is not None:
        yield (
            f'<line class="now" x1="{scale(scale.now)}" x2="{scale(scale.now)}" y1="20" y2="100%"/>'
            if not (scale.growing)
            else '<line class="now" y1="20" y2="100%"/>'
        )
    yield "</svg>"


def _head(record: Record, scale: Scale) -> Iterator[str]:
    """The axis, and a mark for each step."""
    yield f'<svg class="head" height="{_HEAD}">'
    for number, tick in enumerate(scale.ticks()):
        share = scale.percent(tick)
        anchor = "start" if share < 5 else "end" if share > 93 else "middle"
        second = " second" if number % 2 else ""
        yield f'<text class="soft{second}" x="{share:.3f}%" y="12" text-anchor="{anchor}">{text(offset(tick))}</text>'
    yield '<line class="axis" x1="0" x2="100%" y1="20" y2="20"/>'
    for share, y, step in _marks(record, scale):
        state = {StepState.FAILED: " failed", StepState.SKIPPED: " skipped", StepState.WAITING: " skipped"}.get(
            step.state, " running" if step.state is StepState.RUNNING else ""
        )
        yield (
            f'<g class="step"><circle class="mark{state}" cx="{share:.3f}%" cy="{y}" r="8"/>'
            f'<text class="sign" x="{share:.3f}%" y="{y + 4}">{_SIGNS[step.action]}</text>'
            f"<title>{text(_told(record, step))}</title></g>"
        )
    for check in record.checks:
        begin, end = record.at(check.started_at), record.at(check.ended_at)
        if end > 0:
            state = "passed" if check.status == "passed" else "failed"
            yield scale.bar(f"span {state}", begin, end, 22, 3, title=_evidence(check))
    yield "</svg>"


def _marks(record: Record, scale: Scale) -> Iterator[tuple[float, int, StepRecord]]:
    """The position of each step: where it began, or where it is planned. Marks never hide each other."""
    last: float | None = None
    for step in record.steps:
        at = record.at(step.started_at) if step.started_at is not None else step.planned + scale.held
        share = scale.percent(at)
        low = last is not None and share - last < 4.4
        last = None if low else share
        yield share, 50 if low else 34, step


def _told(record: Record, step: StepRecord) -> str:
    began = offset(record.at(step.started_at)) if step.started_at is not None else "not yet"
    return f"{step.name} ({step.action}): planned {offset(step.planned)}, began {began}. {step.outcome or step.about}"


def _evidence(check: CheckRecord) -> str:
    return f"check {check.name}: {check.status}: {check.reason}"


def _row(record: Record, lane: Lane, scale: Scale) -> Iterator[str]:
    """An alarm as a bar, an event as a mark, with its name and a summary above."""
    sent = lane.emissions[0]
    hue = "event" if sent.is_event else hue_of(sent.severity)
    yield f'<div class="lane">{_lane_head(lane)}<svg class="row" height="{_ROW}">'
    yield f'<rect class="track" x="0" width="100%" y="2" height="{_BAR}" rx="6"/>'
    yield f'<g class="{hue}">'
    middle = 2 + _BAR // 2
    if sent.is_event:
        yield _dot("dot", scale(record.at(sent.sent_at)), middle, 7, _title(record, sent))
    else:
        yield from _life(record, sent, scale)
    if sent.notified_at is not None:
        told = f"notified {latency(sent.notified_after)} after the push: {sent.notified or ''}"
        yield _dot("bell", scale(record.at(sent.notified_at)), middle, 5, told)
    for at, receiver, after, what in (
        (sent.delivered_at, sent.delivered, sent.delivered_after, "delivered"),
        (sent.resolved_at, sent.resolved, sent.resolved_after, "its end delivered"),
    ):
        if at is not None:
            told = f"{what} to {receiver or 'the receiver'} after {latency(after)}"
            yield _dot("arrival", scale(record.at(at)), middle, 3, told)
    yield "</g></svg></div>"


def _life(record: Record, sent: Emission, scale: Scale) -> Iterator[str]:
    """From the push until it is visible, while it is visible, and from its clear until it is gone."""
    begin = record.at(sent.sent_at)
    ended = record.at(sent.ended_at) if sent.ended_at is not None else begin if sent.unsent else None
    solid = record.at(sent.seen_at) if sent.seen_at is not None else begin
    solid = solid if ended is None else min(solid, ended)
    gone = record.at(sent.gone_at) if sent.gone_at is not None else ended
    if solid > begin:
        yield scale.bar("pending", begin, solid, 2, _BAR)
    kind = "bar faint" if sent.unsent or (ended is None and sent.seen_at is None) else "bar"
    yield scale.bar(kind, solid, ended, 2, _BAR, title=_title(record, sent))
    if ended is not None and gone is not None and gone > ended:
        yield scale.bar("ending", ended, gone, 2, _BAR)


def _group(record: Record, lane: Lane, scale: Scale, key: str) -> Iterator[str]:
    """The instances of a for_each: how many are active at each time, and their lanes when it is opened."""
    sent = lane.emissions[0]
    hue = "event" if sent.is_event else hue_of(sent.severity)
    yield f'<details class="lane group {hue}" data-key="{text(key)}"><summary>{_lane_head(lane)}'
    yield f'<svg class="row" height="{_AREA}" viewBox="0 0 1000 {_AREA}" preserveAspectRatio="none" aria-hidden="true">'
    yield f'<rect class="track" x="0" width="1000" y="0" height="{_AREA}" rx="3"/>'
    if sent.is_event:
        for each in lane.emissions:
            left = scale.percent(record.at(each.sent_at)) * 10
            yield f'<rect class="bar" x="{left:.2f}" y="4" width="2" height="32"/>'
    else:
        yield f'<path class="pending" d="{_area(record, lane, scale, solid=False)}"/>'
        yield f'<path class="area" d="{_area(record, lane, scale, solid=True)}"/>'
    yield f"</svg></summary>{slot(key)}</details>"


def _area(record: Record, lane: Lane, scale: Scale, *, solid: bool) -> str:
    """The outline of the number of a lane's alarms at each time: the visible ones, or all."""
    changes: dict[int, int] = {}
    part = max(1, scale.end // _AREA_PARTS)
    for sent in lane.emissions:
        begin = sent.seen_at if solid else sent.sent_at
        end = sent.ended_at if solid or sent.gone_at is None else sent.gone_at
        if sent.unsent or begin is None:
            continue
        first = record.at(begin) // part * part
        last = scale.now if end is None else max(first, record.at(end) // part * part)
        changes[first] = changes.get(first, 0) + 1
        changes[last] = changes.get(last, 0) - 1
    height, level, points = _AREA - 2, 0, [f"M{MARGIN * 10:.1f} {_AREA}"]
    for at in sorted(changes):
        x = scale.percent(at) * 10
        points.append(f"L{x:.1f} {_AREA - height * level / len(lane.emissions):.1f}")
        level += changes[at]
        points.append(f"L{x:.1f} {_AREA - height * level / len(lane.emissions):.1f}")
    return " ".join([*points, "Z"])


def _lane_head(lane: Lane) -> str:
    active = " active" if any(sent.active for sent in lane.emissions) else ""
    return (
        f'<div class="lane-head"><span class="name{active}">{text(lane.name)}</span>'
        f'<span class="soft">{text(summary(lane))}</span></div>'
    )


def _dot(kind: str, x: str, y: int, radius: int, title: str) -> str:
    return f'<circle class="{kind}" cx="{x}" cy="{y}" r="{radius}"><title>{text(title)}</title></circle>'


def hue_of(severity: str | None) -> str:
    """The CSS class of a severity; an unknown one is drawn like the lowest."""
    known = (severity or "").lower()
    return known if known in ("critical", "major", "minor", "info") else "info"


def _title(record: Record, sent: Emission) -> str:
    by = sent.step or "a run elsewhere"
    told = [f"{sent.address} ({sent.severity or 'no severity'}): sent {moment(sent.sent_at)} by {by}"]
    told += [f"shown after {latency(sent.visible_after)}"] if sent.seen_at is not None else []
    told += [f"ended at {offset(record.at(sent.ended_at))} by {sent.ended_by}"] if sent.ended_at is not None else []
    told += [sent.push_error] if sent.push_error else []
    return ", ".join(told)
