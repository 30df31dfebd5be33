"""The ledger as text: its runs, the operations of a run, the lease."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.core.duration import format_instant
from reconciler.core.operation import Status
from reconciler.core.origin import Origin
from reconciler.core.text import printable
from reconciler.ledger.protocol import Entry, Holder, Run, RunState
from reconciler.views.phrases.plan import count
from reconciler.views.text.line import BLANK, Line, Span, Style, line
from reconciler.views.text.width import pad, width

_STATES = {
    RunState.RUNNING: Style.CHANGE,
    RunState.DONE: Style.GOOD,
    RunState.PARTIAL: Style.ERROR,
    RunState.INTERRUPTED: Style.WARNING,
}
_STATUSES = {Status.DONE: Style.ADD, Status.FAILED: Style.ERROR, Status.UNKNOWN: Style.WARNING, None: Style.CHANGE}


def run_lines(runs: Sequence[Run], holder: Holder | None) -> Iterator[Line]:
    """The runs, one a line, newest first, and who holds the lease."""
    if not runs:
        yield line("No run yet.")
    else:
        rows = [
            (
                Span(printable(run.id), Style.BOLD),
                _state(run, alive=holder is not None and run is runs[0]),
                Span(format_instant(run.started_at)),
                Span("" if run.ended_at is None else format_instant(run.ended_at)),
                Span(printable(run.command)),
                Span("" if run.origin is None else printable(str(run.origin))),
            )
            for run in runs
        ]
        yield from _table(("RUN", "STATE", "STARTED", "ENDED", "COMMAND", "BY"), rows)
    if holder is not None:
        yield BLANK
        yield from holder_lines(holder)


def entry_lines(run: Run, entries: Sequence[Entry], alive: bool) -> Iterator[Line]:
    """A run, and its operations in the order they were journalled, each with the service's answer."""
    yield line("Run ", (printable(run.id), Style.BOLD), ", ", _state(run, alive))
    yield line(f"  command  {printable(run.command)}", hang=11)
    if run.origin is not None:
        yield from origin_lines(run.origin)
    yield line(f"  plan     {printable(run.plan_id)}", hang=11)
    yield line(f"  started  {format_instant(run.started_at)}")
    if run.ended_at is not None:
        yield line(f"  ended    {format_instant(run.ended_at)}")
    yield BLANK
    if not entries:
        yield line("It sent nothing.")
        return
    rows = [
        (
            Span(_status(entry), _STATUSES[entry.status]),
            Span(entry.operation.verb.value),
            Span(printable(str(entry.operation.address))),
            Span("" if entry.attempts == 1 else f"sent {entry.attempts} times", Style.DIM),
            Span(printable(entry.answer or "")),
        )
        for entry in entries
    ]
    yield from _table(("STATUS", "VERB", "ADDRESS", "ATTEMPTS", "ANSWER"), rows)
    yield BLANK
    done = sum(entry.status is Status.DONE for entry in entries)
    yield line(f"{count(len(entries), 'operation')}, {done:,} done, {len(entries) - done:,} not done.")


def origin_lines(origin: Origin) -> Iterator[Line]:
    """Who started a run, and in which pipeline at which commit."""
    yield line(f"  by       {printable(origin.user)} on {printable(origin.host)}", hang=11)
    if origin.pipeline:
        yield line(f"  pipeline {printable(origin.pipeline)}", hang=11)
    if origin.commit:
        yield line(f"  commit   {printable(origin.commit)}", hang=11)


def holder_lines(holder: Holder) -> Iterator[Line]:
    """Who holds the lease, and until when."""
    yield line(
        ("Held", Style.WARNING), f" by {printable(str(holder))} since {format_instant(holder.acquired_at)}", hang=5
    )
    yield line(f"     lapses {format_instant(holder.expires_at)} unless renewed", hang=5)


def unlocked_lines(held: Holder | None) -> Iterator[Line]:
    """What unlock did; None: nothing."""
    if held is None:
        yield line("No lease was broken.")
    else:
        yield line(f"Broken: the lease of {printable(str(held))}. The next apply settles what that run left open.")


def _state(run: Run, alive: bool) -> Span:
    if run.state is RunState.RUNNING and not alive:
        return Span("died", Style.ERROR)
    return Span(run.state.value, _STATES[run.state])


def _status(entry: Entry) -> str:
    if entry.status is None:
        return "open"
    return "done, seen" if entry.status is Status.DONE and entry.confirmed_at is not None else entry.status.value


def _table(titles: Sequence[str], rows: Sequence[Sequence[Span]]) -> Iterator[Line]:
    """Columns as wide as what they hold, those with nothing in them left out; the last one wraps."""
    kept = [column for column in range(len(titles)) if any(row[column].text for row in rows)]
    widths = {column: max(width(titles[column]), *(width(row[column].text) for row in rows)) + 2 for column in kept}
    hang = sum(widths[column] for column in kept[:-1])
    for row in ([Span(title, Style.DIM) for title in titles], *rows):
        filled = [column for column in kept if row[column].text]
        before = (row[c]._replace(text=pad(row[c].text, widths[c])) for c in kept if c < filled[-1])
        yield line(*before, row[filled[-1]], hang=hang)
