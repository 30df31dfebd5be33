"""The page of a running drill: the report's sections, with the next step, a pause's question, and a script."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from reconciler.drill.record import Record, StepRecord, StepState
from reconciler.drill.spec import StepAction
from reconciler.views.html.drill import PageSections, document_html, policy, record_sections
from reconciler.views.html.text import asset, fill_slots, slot, text
from reconciler.views.phrases.drill import latency, offset

_UPCOMING = 3
_BAR = """\
<div class="bar">
<span class="link" id="link" data-state="open" role="status">live</span>
<span class="clock" id="clock">before the beginning</span>
{next}
<details class="abort control" data-key="abort"><summary>Abort</summary>
<p>Clear every alarm of this drill, and end it?</p>
<button type="button" class="danger" data-do="abort">Abort the drill</button></details>
<p class="said" id="said" role="status" hidden></p>
</div>
{ask}"""


def live_html(record: Record, now: int) -> str:
    """The current page; its script fetches changes."""
    main, inside = record_sections(record, now, growing=True)
    report = fill_slots("\n".join(map(slot, main)), main)
    bar = _BAR.format(next=slot("next"), ask=slot("ask"))
    body = fill_slots(f"{bar}\n<main>\n{report}\n</main>", {**inside, **_watched(record, now)})
    return document_html(record, body, script=asset("live.js"))


def live_policy() -> str:
    """The content security policy that the page is served with."""
    return f"{policy(asset('page.css'), asset('live.js'))}; frame-ancestors 'none'"


def live_sections(record: Record, now: int) -> PageSections:
    """The sections of the report, and before them those that only a running drill has."""
    main, inside = record_sections(record, now, growing=True)
    return PageSections({**_watched(record, now), **main}, inside)


def clock(record: Record, now: int) -> dict[str, object]:
    """What a script needs to continue the clock: the current offset (None before the beginning), and the speed
    of time.
    """
    started = record.started_at is not None
    return {"at": record.at(now) if started else None, "speed": record.speed, "over": record.over}


def _watched(record: Record, now: int) -> dict[str, str]:
    return {"next": "\n".join(_next(record, now)), "ask": "\n".join(_ask(record))}


def _next(record: Record, now: int) -> Iterator[str]:
    """The next step and when it is due."""
    if record.over:
        yield '<p class="next">The drill is over.</p>'
        return
    running = next((step for step in record.steps if step.state is StepState.RUNNING), None)
    if running is not None:
        yield f'<p class="next">Now: <b>{text(running.action)}</b> {text(running.name)}</p>'
    waiting = [step for step in record.steps if step.state is StepState.WAITING]
    if waiting:
        upcoming = "".join(_upcoming(record, step, now) for step in islice(waiting, _UPCOMING))
        yield f'<ol class="upcoming">{upcoming}</ol>'
    elif running is None and record.started_at is not None:
        yield '<p class="next">Clearing, then the end.</p>'


def _upcoming(record: Record, step: StepRecord, now: int) -> str:
    what = f"<b>{text(step.action)}</b> {text(step.name)}"
    if pending_pause(record) is not None:
        return f"<li>{what} <time>after the pause</time></li>"
    due = step.planned + record.paused_for
    left = due - record.at(now)
    when = f"at {offset(due)}" if record.started_at is None else f"in {latency(left)}" if left > 0 else "now"
    return f'<li>{what} <time data-due="{due}">{text(when)}</time></li>'


def _ask(record: Record) -> Iterator[str]:
    """The question of a pause, with buttons for visitors with the token."""
    step = pending_pause(record)
    if step is None:
        return
    name = text(step.name)
    yield '<section class="ask" role="alertdialog" aria-label="The drill waits for an answer">'
    yield f'<p class="eyebrow">The drill waits: {name}</p><h2>{text(step.about)}</h2>'
    yield f'<p class="control"><button type="button" data-do="yes" data-step="{name}">Yes, continue</button> '
    yield f'<button type="button" class="danger" data-do="no" data-step="{name}">No, clear and end</button></p>'
    yield '<p class="readonly">Answer in the terminal, or open the link with the token that it shows.</p></section>'


def pending_pause(record: Record) -> StepRecord | None:
    """The pause that waits for an answer."""
    if record.over:
        return None
    pauses = (step for step in record.steps if step.action is StepAction.PAUSE)
    return next((step for step in pauses if step.state is StepState.RUNNING), None)
