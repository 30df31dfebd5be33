"""The latencies of a drill over its runs, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.core.text import printable
from reconciler.drill.latency import BOUNDS, LATENCY_STAGES, History, LatencyStage
from reconciler.views.phrases.drill import bucket, latency, moment, movement
from reconciler.views.phrases.plan import count
from reconciler.views.text.line import BLANK, Line, Style, line

_WIDTH = 40


def history_lines(histories: Sequence[History]) -> Iterator[Line]:
    """For each drill and stage: the runs, oldest first, and a histogram of all of them."""
    for number, history in enumerate(histories):
        if number:
            yield BLANK
        kind = "rehearsal" if history.runs[0].record.rehearsal else "run"
        yield line("Drill ", (printable(history.drill), Style.BOLD), f": {count(len(history.runs), kind)}")
        for stage in LATENCY_STAGES:
            if history.known(stage):
                yield BLANK
                yield from _stage(history, stage)


def _stage(history: History, stage: LatencyStage) -> Iterator[Line]:
    moved = history.moved(stage)
    style = Style.PLAIN if moved is None or moved <= 0 else Style.WARNING
    yield line((stage.name, Style.BOLD), (f", {stage.about}", Style.DIM), (movement(moved), style))
    for run, spread in history.known(stage):
        alarms = count(len(spread.values), "alarm")
        took = f"{latency(spread.median):>8} median, {latency(spread.least)} to {latency(spread.most)}"
        yield line(f"  {moment(run.record.began_at)}  {alarms:>12}  {took}", hang=4)
    counts = history.histogram(stage)
    shown = [index for index, number in enumerate(counts) if number]
    for index in range(shown[0], shown[-1] + 1):
        bar = "█" * round(counts[index] / max(counts) * _WIDTH) or ("▏" if counts[index] else "")
        yield line(f"  {bucket(index, BOUNDS):>10}  ", (bar, Style.ADD), f" {counts[index]:,}")
