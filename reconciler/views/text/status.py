"""The status of a stack as text: a table of its alarms, who holds the lease, and a summary line."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.app.status import AlarmState, AlarmStatus, StackStatus
from reconciler.core.duration import format_instant, rough_duration
from reconciler.core.text import printable
from reconciler.views.phrases.plan import pointing
from reconciler.views.phrases.status import raised_by, remarks, status_summary
from reconciler.views.text.ledger import holder_lines
from reconciler.views.text.line import BLANK, Line, Span, Style, line, table_lines
from reconciler.views.text.plan import warning_lines

_STATES = {
    AlarmState.FIRING: Style.ERROR,
    AlarmState.SUPPRESSED: Style.WARNING,
    AlarmState.NOT_FIRING: Style.DIM,
    AlarmState.IN_FORCE: Style.OK,
    AlarmState.NOT_IN_FORCE: Style.DIM,
}
_TITLES = ("ADDRESS", "STATE", "SINCE", "UNTIL", "RAISED BY", "REMARKS")


def status_lines(status: StackStatus) -> Iterator[Line]:
    """The alarms that are active or should be, each with its remarks, then the summary."""
    yield line("Stack ", (printable(status.stack), Style.BOLD), f" at {format_instant(status.at)}")
    for text in pointing(status.plan.targets):
        yield line(("Target ", Style.DIM), printable(text), hang=4)
    yield BLANK
    if status.alarms:
        yield from table_lines(_TITLES, [_row(alarm, status.at) for alarm in status.alarms])
        yield BLANK
    yield from warning_lines(status.plan)
    if status.holder is not None:
        yield from holder_lines(status.holder)
        yield BLANK
    yield line((status_summary(status), Style.BOLD))


def _row(alarm: AlarmStatus, now: int) -> tuple[Span, ...]:
    found = alarm.observed
    return (
        Span(printable(str(alarm.address)), Style.BOLD),
        Span(alarm.state.value, _STATES[alarm.state]),
        Span("" if found is None else format_instant(found.starts_at)),
        Span("" if found is None or found.expires_at is None else _until(found.expires_at, now)),
        Span(printable(raised_by(alarm.raised_by))),
        Span(printable("; ".join(remarks(alarm))), Style.CHANGE if alarm.drift else Style.PLAIN),
    )


def _until(expires_at: int, now: int) -> str:
    left = expires_at - now
    return f"{format_instant(expires_at)} ({f'{rough_duration(left)} left' if left > 0 else 'due'})"
