"""Results as Markdown: a summary line, and what is not done."""

from __future__ import annotations

from reconciler.apply.result import Result
from reconciler.views.markdown.diagnostic import diagnostic_items
from reconciler.views.markdown.text import LIMIT, code, escape
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
    """What became of a plan in at most ``limit`` characters; ``again`` is the command that continues it."""
    left = list(remaining(result))
    lines = [
        f"### {command_words(result).noun} of {code(result.plan.stack)}",
        "",
        f"**{escape(summary_line(result))}**",
        "",
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
