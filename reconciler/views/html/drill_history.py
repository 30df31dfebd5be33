"""The latencies of a drill over its runs, as one self-contained page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.drill.latency import BOUNDS, LATENCY_STAGES, History, LatencyStage, Spread
from reconciler.views.html.drill import page_html
from reconciler.views.html.text import text
from reconciler.views.html.timeline import MARGIN
from reconciler.views.phrases.drill import bucket, latency, moment, movement
from reconciler.views.phrases.plan import count

_COLUMNS = 90
"""The height (pixels) of the highest column of a histogram."""
_LEAST = 5
"""The last bucket that is always shown."""


def history_html(histories: Sequence[History]) -> str:
    """The whole page: for each drill and stage a lane for each run, and a histogram of all of them."""
    names = ", ".join(history.drill for history in histories)
    parts = ["<main>", f'<header><p class="eyebrow">Latencies over the last runs</p><h1>{text(names)}</h1></header>']
    for history in histories:
        parts += (part for stage in LATENCY_STAGES if history.known(stage) for part in _stage(history, stage))
    return page_html(f"Latencies of {names}", "\n".join([*parts, "</main>"]))


def _stage(history: History, stage: LatencyStage) -> Iterator[str]:
    known = history.known(stage)
    longest = max(max(spread.most for _, spread in known), 1)
    moved = history.moved(stage)
    look = "odd" if moved is not None and moved > 0 else "good"
    change = f' <small class="{look}">{text(movement(moved)[2:])}</small>' if moved is not None else ""
    yield f'<section class="stage"><h2>{text(history.drill)}: {text(stage.name)}{change}</h2>'
    yield f'<p class="about">{text(stage.about)}; each line from 0 to {text(latency(longest))}</p>'
    for run, spread in known:
        told = f"{count(len(spread.values), 'alarm')} · {latency(spread.median)} median · {latency(spread.most)} most"
        yield '<div class="lane"><div class="lane-head">'
        began = text(moment(run.record.began_at))
        yield f'<span class="name">{began}</span><span class="soft">{text(told)}</span></div>'
        yield from _lane(spread, longest)
        yield "</div>"
    yield from _histogram(history.histogram(stage))
    yield "</section>"


def _lane(spread: Spread, longest: int) -> Iterator[str]:
    """From the minimum to the maximum, with each alarm as a stroke and the median as a ring; the axis is 0 to
    ``longest``.
    """

    def percent(value: int) -> float:
        return MARGIN + (100 - 2 * MARGIN) * value / longest

    yield '<svg class="row" height="16"><rect class="track" x="0" width="100%" y="2" height="12" rx="6"/>'
    width = max(percent(spread.most) - percent(spread.least), 0.25)
    yield f'<rect class="range" x="{percent(spread.least):.3f}%" width="{width:.3f}%" y="2" height="12" rx="3"/>'
    for value in sorted(set(spread.values)):
        yield f'<line class="one" x1="{percent(value):.3f}%" x2="{percent(value):.3f}%" y1="3" y2="13"/>'
    yield f'<circle class="bell" cx="{percent(spread.median):.3f}%" cy="8" r="5"><title>median</title></circle></svg>'


def _histogram(counts: Sequence[int]) -> Iterator[str]:
    last = max(_LEAST, *(index for index, number in enumerate(counts) if number))
    width = 100 / (last + 1)
    yield f'<svg class="histogram" height="{_COLUMNS + 44}" role="img" aria-label="Histogram of all runs">'
    for index in range(last + 1):
        height = counts[index] / max(counts) * _COLUMNS
        left = width * index
        middle = left + width / 2
        yield (
            f'<rect class="column" x="{left + width * 0.08:.3f}%" width="{width * 0.84:.3f}%" '
            f'y="{20 + _COLUMNS - height:.1f}" height="{height:.1f}" rx="3"/>'
        )
        number = f"{counts[index]:,}" if counts[index] else ""
        place = f'x="{middle:.3f}%" text-anchor="middle"'
        yield f'<text class="soft" {place} y="{14 + _COLUMNS - height:.1f}">{number}</text>'
        name = bucket(index, BOUNDS).replace("up to ", "≤ ").replace("above ", "> ").replace(".0 s", " s")
        yield f'<text class="soft" {place} y="{_COLUMNS + 38}">{text(name)}</text>'
    yield "</svg>"
