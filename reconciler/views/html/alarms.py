"""Raised alarms and recorded events, with their latencies from the push to the delivery of their end."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.drill.record import Emission, Record
from reconciler.views.html.lanes import lanes_of, summary
from reconciler.views.html.text import Cell, slot, table, text
from reconciler.views.html.timeline import hue_of
from reconciler.views.phrases.drill import latency, offset, state_of


def alarms_html(record: Record) -> tuple[str, dict[str, str]]:
    """The section, and the tables of the instances of each for_each, by slot key."""
    if not record.emissions:
        return "", {}
    inside: dict[str, str] = {}
    parts = ["<section><h2>What was raised and recorded</h2>"]
    lanes = lanes_of(record.emissions)
    single = [_row(record, lane.emissions[0]) for lane in lanes if not lane.is_group]
    parts += table(single) if single else []
    for lane in lanes:
        if lane.is_group:
            key = f"alarms {lane.address}"
            inside[key] = "\n".join(table([_row(record, sent) for sent in lane.emissions]))
            hue = _hue(lane.emissions[0])
            parts.append(
                f'<details class="instances" data-key="{text(key)}"><summary><span class="sev {hue}"></span>'
                f"<code>{text(lane.address)}</code> <small>{text(summary(lane))}</small></summary>{slot(key)}</details>"
            )
    return "\n".join([*parts, "</section>"]), inside


def _row(record: Record, sent: Emission) -> list[Cell]:
    name = f'<span class="sev {_hue(sent)}"></span><code>{text(sent.address)}</code>'
    name += f"<br><small>{text(' '.join(filter(None, (sent.severity, sent.name))))}</small>"
    raised = f"{text(offset(record.at(sent.sent_at)))} <br><small>{text(sent.step)}</small>"
    cells = [Cell("Alarm or event", name, "head"), Cell("Pushed", raised, "tight")]
    cells.append(_after("Shown after", sent.visible_after))
    cells.append(_after("Notified after", sent.notified_after, sent.notified))
    if _is_proved(record):
        cells.append(_after("Delivered after", sent.delivered_after, sent.delivered))
    cells.append(Cell("Ended", " <br>".join(_end(record, sent))))
    cells.append(_after("Gone after", sent.gone_after))
    if _is_proved(record):
        cells.append(_after("End delivered after", sent.resolved_after, sent.resolved))
    return cells


def _end(record: Record, sent: Emission) -> Iterator[str]:
    if sent.push_error:
        yield f'<span class="bad">{text(state_of(sent))}: {text(sent.push_error)}</span>'
    elif sent.active:
        yield f'<span class="chip {"bad" if record.over else "running"}">{text(state_of(sent))}</span>'
    elif sent.ended_at is None:
        yield text(state_of(sent))
    else:
        yield text(offset(record.at(sent.ended_at)))
        yield f"<small>{text(sent.ended_by or state_of(sent))}</small>"
        if sent.gone_at is None:
            yield "<small>not confirmed to be gone</small>"


def _after(label: str, milliseconds: int | None, who: str | None = None) -> Cell:
    told = text(latency(milliseconds)) + (f" <br><small>{text(who)}</small>" if who else "")
    return Cell(label, told, "none" if milliseconds is None else "")


def _is_proved(record: Record) -> bool:
    """Whether any receiver got a notification, so that a delivery column is useful."""
    return any(sent.delivered_at is not None or sent.resolved_at is not None for sent in record.emissions)


def _hue(sent: Emission) -> str:
    return "event" if sent.is_event else hue_of(sent.severity)
