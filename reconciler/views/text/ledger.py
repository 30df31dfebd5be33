"""The ledger as text: its runs, the operations of a run, the lease, and the results of settling and the doctor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reconciler.app.prune import Pruned
from reconciler.apply.settle import Settlement
from reconciler.core.duration import format_instant
from reconciler.core.operation import Status
from reconciler.core.origin import Origin
from reconciler.core.text import printable
from reconciler.ledger.copying import Copied
from reconciler.ledger.doctor import Findings, Survey
from reconciler.ledger.location import Location
from reconciler.ledger.probe import SharedFindings
from reconciler.ledger.protocol import Entry, Holder, Run, RunState
from reconciler.ledger.store import StackState
from reconciler.views.phrases.plan import count
from reconciler.views.text.line import BLANK, Line, Span, Style, line, table_lines

_STATES = {
    RunState.RUNNING: Style.CHANGE,
    RunState.DONE: Style.OK,
    RunState.PARTIAL: Style.ERROR,
    RunState.INTERRUPTED: Style.WARNING,
}
_STATUSES = {Status.DONE: Style.ADD, Status.FAILED: Style.ERROR, Status.UNKNOWN: Style.WARNING, None: Style.CHANGE}


def run_lines(runs: Sequence[Run], holder: Holder | None) -> Iterator[Line]:
    """The runs, one per line, newest first, and who holds the lease."""
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
        yield from table_lines(("RUN", "STATE", "STARTED", "ENDED", "COMMAND", "BY"), rows)
    if holder is not None:
        yield BLANK
        yield from holder_lines(holder)


def stack_lines(stacks: Sequence[StackState]) -> Iterator[Line]:
    """The stacks of a shared ledger, one per line, with when each was last written and who holds its lease."""
    if not stacks:
        yield line("No stack yet.")
        return
    rows = [
        (
            Span(printable(found.stack), Style.BOLD),
            Span("" if found.changed_at is None else format_instant(found.changed_at)),
            Span("" if found.holder is None else printable(str(found.holder)), Style.CHANGE),
        )
        for found in stacks
    ]
    yield from table_lines(("STACK", "CHANGED", "HELD BY"), rows)


def entry_lines(run: Run, entries: Sequence[Entry], alive: bool) -> Iterator[Line]:
    """A run and its operations in journal order, each with the service's response."""
    yield line("Run ", (printable(run.id), Style.BOLD), ", ", _state(run, alive))
    yield line(f"  command  {printable(run.command)}", hang=11)
    if run.origin is not None:
        yield from origin_lines(run.origin)
    if run.plan_id:
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
            Span(_attempts(entry), Style.DIM),
            Span(printable(entry.answer or "")),
        )
        for entry in entries
    ]
    yield from table_lines(("STATUS", "VERB", "ADDRESS", "ATTEMPTS", "ANSWER"), rows)
    yield BLANK
    done = sum(entry.status is Status.DONE for entry in entries)
    yield line(f"{count(len(entries), 'operation')}, {done:,} done, {len(entries) - done:,} not done.")


def _attempts(entry: Entry) -> str:
    if not entry.attempts:
        return "not sent"
    return "" if entry.attempts == 1 else f"sent {entry.attempts} times"


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
    """What unlock did; ``held`` is the holder of the broken lease, None if nothing was changed."""
    if held is None:
        yield line("Nothing was unlocked.")
    else:
        yield line(f"Broke the lease of {printable(str(held))}. The next apply settles what that run left open.")


def _state(run: Run, alive: bool) -> Span:
    if run.state is RunState.RUNNING and not alive:
        return Span("died", Style.ERROR)
    return Span(run.state.value, _STATES[run.state])


def _status(entry: Entry) -> str:
    if entry.status is None:
        return "open"
    return "done, seen" if entry.status is Status.DONE and entry.confirmed_at is not None else entry.status.value


def examined_lines(found: Findings) -> Iterator[Line]:
    """What `ledger doctor` found."""
    path = printable(str(found.path))
    if found.is_sound:
        yield line((f"{path} is sound: {_amount(found.survey)}.", Style.OK))
        return
    yield line((f"{path} is damaged.", Style.ERROR))
    for text in found.complaints:
        yield line("  ", printable(f"SQLite: {text}"), hang=4)
    yield from _unsound(found.survey)
    if not found.complaints and found.survey.is_whole:
        yield line("  the table of operations is not what the journal adds up to")
    yield line(f"Readable: {_amount(found.survey)}. To save them: reconciler ledger salvage NEW.db {path}")


def copied_lines(source: Location, target: Location, copied: Copied) -> Iterator[Line]:
    """What `ledger copy` did."""
    rows = f"{count(copied.rows, 'row')} of the stack {target.stack}"
    there = f", {copied.there:,} of them there before" if copied.there else ""
    yield line((f"Copied {rows} to {printable(str(target))}{there}; the copy was verified.", Style.OK))
    yield line(f"Use it from now on: it does not record what runs apply with {printable(str(source))}.")


def pruned_lines(found: Pruned, older_than: str, *, done: bool) -> Iterator[Line]:
    """What `ledger prune` removed, or would remove, and what it keeps."""
    runs, operations = found.ledger.removed
    kept = found.ledger.kept
    left = f"{count(kept.runs, 'run')} and {count(kept.operations, 'operation')}"
    of = f"the stack {found.location.stack}"
    if found.is_empty:
        yield line(f"Nothing of {of} is older than {older_than} and not needed any more: {left} are kept.")
        return
    parts = [count(runs, "run"), count(operations, "operation"), *_drills(found)]
    what = f"{', '.join(parts[:-1])} and {parts[-1]} of {of}, older than {older_than}"
    yield line((f"Removed {what}.", Style.OK) if done else f"Would remove {what}.")
    yield line(f"{'Kept' if done else 'Would keep'} {left}, which are younger or still needed.")


def _drills(found: Pruned) -> list[str]:
    return [count(len(found.drills), "drill record")] if found.drills else []


def probed_lines(found: SharedFindings) -> Iterator[Line]:
    """What `ledger doctor` found of a shared ledger."""
    for probe in found.probes:
        if probe.problem is None:
            yield line(("kept", Style.OK), f"    {probe.promise}", hang=8)
        else:
            yield line(("broken", Style.ERROR), f"  {probe.promise}: {probe.problem}", hang=8)
    for text in found.complaints:
        yield line(("damaged", Style.ERROR), f" {printable(text)}", hang=8)
    if found.is_sound:
        amount = f"{count(found.stacks, 'stack')}, {count(found.rows, 'row')}"
        yield line((f"{printable(found.label)} is sound: {amount}.", Style.OK))


def salvaged_lines(path: Path, to: Path, found: Survey) -> Iterator[Line]:
    """What `ledger salvage` copied, and what it left out."""
    yield line((f"Copied to {printable(str(to))}: {_amount(found)}.", Style.OK))
    if found.is_whole:
        yield line("Nothing was left out.")
    else:
        yield line(("Left out:", Style.WARNING))
        yield from _unsound(found)
    yield line(
        f"To use it, move {printable(str(path))} away, with its -wal and -shm, and put the new file in its place."
    )


def _unsound(found: Survey) -> Iterator[Line]:
    for number, why in found.unsound_runs.items():
        yield line("  ", printable(f"run {number}: {why}"), hang=4)
    for number, why in found.unsound_rows.items():
        yield line("  ", printable(f"row {number} of the journal: {why}"), hang=4)
    if found.lost is not None:
        yield line("  ", printable(f"{found.lost}: later rows may be missing"), hang=4)
    if not found.end_known:
        yield line("  the end of a table cannot be read: later rows may be missing")


def _amount(found: Survey) -> str:
    return f"{count(len(found.runs), 'run')} and {count(len(found.rows), 'row')} of the journal"


def settled_lines(settlement: Settlement) -> Iterator[Line]:
    """The result of `ledger settle`, with every address."""
    if not any(settlement):
        yield line("Nothing is open: the outcome of every operation is known.")
        return
    yield from settlement_lines(settlement, most=None)
    if settlement.open:
        yield line("Run this command again once the service responds; `reconciler apply` settles first, too.")
    else:
        yield line("Nothing is open any more.")


def settlement_lines(settlement: Settlement, most: int | None = 10) -> Iterator[Line]:
    """The result of settling; empty if nothing was open. ``most`` is how many addresses of a group are named, None for
    all.
    """
    groups = (
        (settlement.arrived, "had reached the service", Style.PLAIN),
        (settlement.lost, "never arrived, and are planned again if still declared", Style.WARNING),
        (settlement.open, "could not be queried and stay open", Style.ERROR),
    )
    total = sum(len(entries) for entries, _, _ in groups)
    if not total:
        return
    yield line((f"An earlier run left {count(total, 'operation')} open:", Style.BOLD))
    for entries, what, style in groups:
        if entries:
            yield line("  ", (f"{len(entries):,} {what}", style), f": {_addresses(entries, most)}", hang=4)
    yield BLANK


def _addresses(entries: Sequence[Entry], most: int | None) -> str:
    names = list(dict.fromkeys(str(entry.operation.address) for entry in entries))
    shown = names[:most]
    more = f", and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return printable(", ".join(shown)) + more
