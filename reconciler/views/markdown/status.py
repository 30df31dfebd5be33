"""The status of a stack as Markdown: a summary line and a table of its alarms, truncated to fit a comment."""

from __future__ import annotations

from reconciler.app.status import AlarmStatus, StackStatus
from reconciler.core.duration import format_instant
from reconciler.core.text import escape_markdown as escape
from reconciler.views.markdown.diagnostic import diagnostic_items
from reconciler.views.markdown.text import LIMIT, code
from reconciler.views.phrases.plan import count, pointing
from reconciler.views.phrases.status import raised_by, remarks, status_summary


def status_markdown(status: StackStatus, limit: int = LIMIT) -> str:
    """The status in at most ``limit`` characters; counts include what is omitted."""
    lines = [
        f"### Status of {code(status.stack)}",
        "",
        f"**{escape(status_summary(status))}**",
        "",
        *(f"- Target {code(text)}" for text in pointing(status.plan.targets)),
        f"- At {format_instant(status.at)}",
    ]
    if status.holder is not None:
        lines.append(f"- The lease is held by {escape(str(status.holder))}")
    lines += ["", *diagnostic_items(status.plan.warnings), ""] if status.plan.warnings else [""]
    if status.alarms:
        lines += ["| address | state | since | until | raised by | remarks |", "|---|---|---|---|---|---|"]
    room = limit - sum(len(text) + 1 for text in lines) - 100
    for number, alarm in enumerate(status.alarms):
        row = _row(alarm)
        room -= len(row) + 1
        if room < 0:
            lines += [
                "",
                f"{count(len(status.alarms) - number, 'more alarm')} left out: this comment cannot hold them.",
            ]
            break
        lines.append(row)
    return "\n".join(lines).rstrip("\n") + "\n"


def _row(alarm: AlarmStatus) -> str:
    found = alarm.observed
    cells = (
        code(str(alarm.address)).replace("|", "\\|"),
        alarm.state.value,
        "" if found is None else format_instant(found.starts_at),
        "" if found is None or found.expires_at is None else format_instant(found.expires_at),
        escape(raised_by(alarm.raised_by)),
        escape("; ".join(remarks(alarm))),
    )
    return f"| {' | '.join(cells)} |"
