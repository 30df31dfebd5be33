"""Results as Markdown, for a run that ended now or in the past: a summary line, and what is not done."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.apply.result import Result
from reconciler.core.duration import format_instant
from reconciler.core.operation import Status
from reconciler.core.text import escape_markdown as escape
from reconciler.ledger.protocol import Entry, Run, RunState
from reconciler.session.other_stacks import OtherStacks
from reconciler.views.markdown.diagnostic import diagnostic_items
from reconciler.views.markdown.text import LIMIT, code, details, target_items
from reconciler.views.phrases.other_stacks import other_stack, others_head, others_unread
from reconciler.views.phrases.plan import count
from reconciler.views.phrases.result import (
    command_words,
    ending,
    per_provider,
    possible_duplicates,
    remaining,
    summary_line,
    unconfirmed,
)


def result_markdown(result: Result, again: str, limit: int = LIMIT) -> str:
    """The result of a plan in at most ``limit`` characters; ``again`` is the command that continues it."""
    left = list(remaining(result))
    lines = [
        f"### {command_words(result).noun} of {code(result.plan.stack)}",
        "",
        f"**{escape(summary_line(result))}**",
        "",
        *target_items(result.plan.targets),
    ]
    if not result.plan.pending and result.plan.warnings:  # the plan was not shown
        lines += [*diagnostic_items(result.plan.warnings), ""]
    told = [f"- {escape(provider)}: {escape(share)}" for provider, share in per_provider(result).items()]
    if told:
        lines += [*told, ""]
    why = ending(result)
    if why is not None:
        lines += [escape(why), ""]
    if result.origin is not None:
        lines += [f"Run {code(result.run)} by {escape(str(result.origin))}", ""]
    if left:
        lines += [f"To continue: {code(again)}", ""]
    items = [
        f"- {code(str(item.change.address))} {item.operation.verb}: **{item.status}**"
        f"{f' {escape(str(item.error))}' if item.error else ''}"
        for item in left
    ]
    items += [
        f"- {code(str(address))}: done, but the service did not show it in time"
        for address in dict.fromkeys(operation.address for operation in unconfirmed(result))
    ]
    items += [
        f"- {code(text)}: pushed again, and may fire twice until the next apply" for text in possible_duplicates(result)
    ]
    room = limit - sum(len(text) + 1 for text in lines) - 100
    for number, item in enumerate(items):
        room -= len(item) + 1
        if room < 0:
            lines.append(f"- and {count(len(items) - number, 'more operation')}")
            break
        lines.append(item)
    return "\n".join(lines).rstrip("\n") + "\n"


def others_markdown(others: OtherStacks) -> str:
    """Active alarms of other stacks of the ledger; empty without any."""
    if not others.firing and not others.unread:
        return ""
    lines = ["", escape(others_head(others)), ""] if others.firing else [""]
    lines += [f"- {code(stack.name)}: {escape(other_stack(stack))}" for stack in others.firing]
    unread = others_unread(others)
    return "\n".join([*lines, *([escape(unread)] if unread is not None else [])]).rstrip("\n") + "\n"


def run_markdown(run: Run, entries: Sequence[Entry], alive: bool, limit: int = LIMIT) -> str:
    """The run in at most ``limit`` characters; counts include omitted operations."""
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
