"""A past run as Markdown: a summary line, and a table of its operations folded away, cut to fit a comment."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.core.duration import format_instant
from reconciler.core.operation import Status
from reconciler.ledger.protocol import Entry, Run, RunState
from reconciler.views.markdown.text import LIMIT, code, details, escape
from reconciler.views.phrases.plan import count


def run_markdown(run: Run, entries: Sequence[Entry], alive: bool, limit: int = LIMIT) -> str:
    """The run in at most ``limit`` characters; the counts are whole even where operations had to be left out."""
    done = sum(entry.status is Status.DONE for entry in entries)
    state = "died" if run.state is RunState.RUNNING and not alive else run.state.value
    ended = f" to {format_instant(run.ended_at)}" if run.ended_at is not None else ""
    head = [
        f"### Run {code(run.id)}",
        "",
        f"**{escape(state)}: {count(len(entries), 'operation')}, {done:,} done, {len(entries) - done:,} not done**",
        "",
        f"{code(run.command)} of plan {code(run.plan_id)}, {format_instant(run.started_at)}{ended}",
        *([] if run.origin is None else ["", f"By {escape(str(run.origin))}"]),
        "",
    ]
    if not entries:
        return "\n".join(head).rstrip("\n") + "\n"
    table = ["| status | verb | address | answer |", "|---|---|---|---|"]
    room = limit - sum(len(text) + 1 for text in [*head, *table]) - 300
    for number, entry in enumerate(entries):
        row = _row(entry)
        room -= len(row) + 1
        if room < 0:
            table += ["", f"{count(len(entries) - number, 'more operation')} left out: this comment cannot hold them."]
            break
        table.append(row)
    return "\n".join([*head, *details(count(len(entries), "operation"), table)]).rstrip("\n") + "\n"


def _row(entry: Entry) -> str:
    status = "open" if entry.status is None else entry.status.value
    address = code(str(entry.operation.address)).replace("|", "\\|")
    return f"| {status} | {entry.operation.verb.value} | {address} | {escape(entry.answer or '')} |"
