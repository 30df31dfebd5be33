"""The latencies of a drill over its runs, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.drill.latency import BOUNDS, LATENCY_STAGES, History
from reconciler.views.markdown.text import code
from reconciler.views.phrases.drill import bucket, latency, moment, movement


def history_markdown(histories: Sequence[History]) -> str:
    """A table of the runs, oldest first, and one histogram for each stage."""
    return "\n".join(text for history in histories for text in _history(history))


def _history(history: History) -> Iterator[str]:
    stages = [stage for stage in LATENCY_STAGES if history.known(stage)]
    yield f"## Latencies of {code(history.drill)}"
    yield ""
    yield f"| run | {' | '.join(stage.name for stage in stages)} |"
    yield f"|---|{'---|' * len(stages)}"
    for run in history.runs:
        spreads = [run.spreads.get(stage.key) for stage in stages]
        cells = [f"{latency(each.median)} (to {latency(each.most)})" if each is not None else "–" for each in spreads]
        yield f"| {moment(run.record.began_at)} | {' | '.join(cells)} |"
    moved = [movement(history.moved(stage))[2:] or "–" for stage in stages]
    yield f"| the last one | {' | '.join(moved)} |"
    yield ""
    yield "Median of each run, and the greatest. How many alarms of all runs took how long:"
    yield ""
    yield f"| up to | {' | '.join(stage.name for stage in stages)} |"
    yield f"|---|{'---|' * len(stages)}"
    counts = [history.histogram(stage) for stage in stages]
    for index in range(len(BOUNDS) + 1):
        if any(each[index] for each in counts):
            yield f"| {bucket(index, BOUNDS)} | {' | '.join(f'{each[index]:,}' for each in counts)} |"
    yield ""
