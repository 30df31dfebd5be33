"""The timeline of a run as inline SVG: a lane of steps, then one bar for each alarm and one mark for each event.

Places along the axis are percentages, so that the drawing fills any width while its texts keep their size.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.resources import files

from reconciler.core.duration import HOUR, MINUTE, SECOND
from reconciler.core.text import printable
from reconciler.drill.record import CheckRecord, Emission, Record, StepRecord, StepState
from reconciler.drill.spec import StepAction
from reconciler.views.phrases.drill import latency, moment, offset, state_of


def style() -> str:
    """The style sheet that every page carries within it."""
    return files("reconciler.views.html").joinpath("page.css").read_text(encoding="utf-8")


def text(value: object) -> str:
    """Any text on one line, as the content of an element or the value of a quoted attribute."""
    return escape(printable(str(value)), quote=True)


_NICE = [
    *(number * SECOND for number in (1, 2, 5, 10, 15, 30)),
    *(number * MINUTE for number in (1, 2, 5, 10, 15, 30)),
    *(number * HOUR for number in (1, 2, 3, 6, 12, 24, 48)),
]
_MOST_TICKS = 6
_LANE = 64
_ROW = 46
_BAR = 12
_SIGNS = {
    StepAction.RAISE: "+",
    StepAction.CLEAR: "−",
    StepAction.RECORD: "*",
    StepAction.CHECK: "?",
    StepAction.PAUSE: "‖",
    StepAction.NOTE: "i",
}


def timeline_svg(record: Record) -> str:
    """The whole drawing."""
    scale = _Scale(record)
    height = _LANE + len(record.emissions) * _ROW + 8
    parts = [
        f'<svg class="timeline" height="{height}" role="img" aria-labelledby="timeline-title">',
        f'<title id="timeline-title">Timeline of {text(record.drill)}: {len(record.alarms)} alarms, '
        f"{len(record.steps)} steps, {text(offset(scale.end))} long</title>",
        *_grid(scale, height),
        *_holds(record, scale, height),
        *_steps(record, scale, height),
        *_checks(record, scale),
    ]
    for number, sent in enumerate(record.emissions):
        parts += _row(record, sent, scale, _LANE + number * _ROW)
    return "\n".join([*parts, "</svg>"])


class _Scale:
    """From offsets (ms) to percentages of the width."""

    def __init__(self, record: Record) -> None:
        known = [record.cleared_at, *(step.ended_at for step in record.steps)]
        known += [
            instant
            for sent in record.emissions
            for instant in (sent.ended_at, sent.gone_at, sent.seen_at, sent.sent_at)
        ]
        last = max((record.at(instant) for instant in known if instant is not None), default=0)
        waiting = [step.planned for step in record.steps] if not record.over else []
        self.end = max([last, *waiting, SECOND])

    def __call__(self, milliseconds: int) -> str:
        return f"{self.share(milliseconds):.3f}%"

    def share(self, milliseconds: int) -> float:
        # A little room at each side keeps what stands on the edge inside.
        return 1.5 + 97 * min(max(milliseconds, 0), self.end) / self.end

    def bar(self, kind: str, begin: int, end: int, y: int, height: int, *, title: str = "") -> str:
        """A bar from one offset to another, wide enough to be seen."""
        width = max(self.share(end) - self.share(begin), 0.25)
        inner = f"<title>{text(title)}</title>" if title else ""
        place = f'x="{self(begin)}" width="{width:.3f}%" y="{y}" height="{height}" rx="{min(3, height // 2)}"'
        return f'<rect class="{kind}" {place}>{inner}</rect>'

    def ticks(self) -> list[int]:
        step = next((nice for nice in _NICE if self.end / nice <= _MOST_TICKS), self.end)
        return list(range(0, self.end + 1, step))


def _grid(scale: _Scale, height: int) -> Iterator[str]:
    for number, tick in enumerate(scale.ticks()):
        share = scale.share(tick)
        anchor = "start" if share < 5 else "end" if share > 93 else "middle"
        yield f'<line class="grid" x1="{share:.3f}%" x2="{share:.3f}%" y1="20" y2="{height}"/>'
        second = " second" if number % 2 else ""
        yield f'<text class="soft{second}" x="{share:.3f}%" y="12" text-anchor="{anchor}">{text(offset(tick))}</text>'
    yield '<line class="axis" x1="0" x2="100%" y1="20" y2="20"/>'


def _holds(record: Record, scale: _Scale, height: int) -> Iterator[str]:
    """Pauses hold the whole timeline."""
    for step in record.steps:
        if step.action is StepAction.PAUSE and step.started_at is not None:
            end = record.at(step.ended_at) if step.ended_at is not None else scale.end
            begin = record.at(step.started_at)
            yield scale.bar("hold", begin, end, 20, height - 20, title=f"{step.name}: {step.about}")


def _steps(record: Record, scale: _Scale, height: int) -> Iterator[str]:
    """A mark for each step where it truly began; those that never did stand where they were planned."""
    free: list[float] = []
    for step in record.steps:
        at = record.at(step.started_at) if step.started_at is not None else step.planned + record.paused_for
        share = scale.share(at)
        # Marks that would hide each other go to a second line.
        low = bool(free) and share - free[-1] < 4.4
        free = [] if low else [share]
        y = 50 if low else 34
        state = {StepState.FAILED: " failed", StepState.SKIPPED: " skipped", StepState.WAITING: " skipped"}.get(
            step.state, ""
        )
        yield f'<line class="stem" x1="{share:.3f}%" x2="{share:.3f}%" y1="{y}" y2="{height}"/>'
        yield (
            f'<g class="step"><circle class="mark{state}" cx="{share:.3f}%" cy="{y}" r="8"/>'
            f'<text class="sign" x="{share:.3f}%" y="{y + 4}">{_SIGNS[step.action]}</text>'
            f"<title>{text(_told(record, step))}</title></g>"
        )


def _told(record: Record, step: StepRecord) -> str:
    began = offset(record.at(step.started_at)) if step.started_at is not None else "never"
    return f"{step.name} ({step.action}): planned {offset(step.planned)}, began {began}. {step.outcome or step.about}"


def _checks(record: Record, scale: _Scale) -> Iterator[str]:
    """How long checks took, as a line above the steps."""
    for check in record.checks:
        begin, end = record.at(check.started_at), record.at(check.ended_at)
        if end > 0:
            state = "passed" if check.status == "passed" else "failed"
            yield scale.bar(f"span {state}", begin, end, 22, 3, title=_evidence(check))


def _evidence(check: CheckRecord) -> str:
    return f"check {check.name}: {check.status}: {check.reason}"


def _row(record: Record, sent: Emission, scale: _Scale, top: int) -> Iterator[str]:
    """An alarm as a bar, an event as a mark; above it its name, and what there is to say of it."""
    hue = "event" if sent.is_event else hue_of(sent.severity)
    name = sent.address.partition(".")[2] or sent.address
    yield f'<svg x="0" y="{top}" width="60%" height="20"><text class="name" x="0" y="14">{text(name)}</text></svg>'
    yield f'<svg x="60%" y="{top}" width="40%" height="20">'
    yield f'<text class="soft" x="100%" y="14" text-anchor="end">{text(_summary(sent))}</text></svg>'
    y = top + 22
    middle = y + _BAR // 2
    yield f'<rect class="track" x="0" width="100%" y="{y}" height="{_BAR}" rx="6"/>'
    yield f'<g class="{hue}">'
    begin = record.at(sent.sent_at)
    if sent.is_event:
        yield _dot("dot", scale(begin), middle, 8, _title(record, sent))
    else:
        yield from _life(record, sent, scale, y)
    if sent.notified_at is not None:
        told = f"notified {latency(sent.notified_after)} after the push: {sent.notified or ''}"
        yield _dot("bell", scale(record.at(sent.notified_at)), middle, 5, told)
    yield "</g>"


def _life(record: Record, sent: Emission, scale: _Scale, y: int) -> Iterator[str]:
    """From the push until it shows, while it shows, and from its clear until it is gone."""
    begin = record.at(sent.sent_at)
    ended = record.at(sent.ended_at) if sent.ended_at is not None else begin if sent.unsent else scale.end
    solid = min(record.at(sent.seen_at) if sent.seen_at is not None else begin, ended)
    gone = record.at(sent.gone_at) if sent.gone_at is not None else ended
    if solid > begin:
        yield scale.bar("pending", begin, solid, y, _BAR)
    yield scale.bar("bar faint" if sent.unsent else "bar", solid, ended, y, _BAR, title=_title(record, sent))
    if gone > ended:
        yield scale.bar("ending", ended, gone, y, _BAR)


def _dot(kind: str, x: str, y: int, radius: int, title: str) -> str:
    return f'<circle class="{kind}" cx="{x}" cy="{y}" r="{radius}"><title>{text(title)}</title></circle>'


def hue_of(severity: str | None) -> str:
    """The class of a severity; one that nobody knows is drawn like the least."""
    known = (severity or "").lower()
    return known if known in ("critical", "major", "minor", "info") else "info"


def _summary(sent: Emission) -> str:
    if sent.unsent or (sent.trouble and sent.seen_at is None):
        return state_of(sent)
    if sent.is_event:
        return f"event, {state_of(sent)}"
    told = [f"seen {latency(sent.visible_after)}" if sent.seen_at is not None else "never seen"]
    told += [f"told {latency(sent.notified_after)}"] if sent.notified_at is not None else []
    told += [f"delivered {latency(sent.delivered_after)}"] if sent.delivered_at is not None else []
    told += ["ACTIVE"] if sent.active else []
    return " · ".join(told)


def _title(record: Record, sent: Emission) -> str:
    by = sent.step or "a run elsewhere"
    told = [f"{sent.address} ({sent.severity or 'no severity'}): sent {moment(sent.sent_at)} by {by}"]
    told += [f"visible after {latency(sent.visible_after)}"] if sent.seen_at is not None else []
    told += [f"ended at {offset(record.at(sent.ended_at))} by {sent.ended_by}"] if sent.ended_at is not None else []
    told += [sent.trouble] if sent.trouble else []
    return ", ".join(told)
