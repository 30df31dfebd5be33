"""The report of a fleet as Markdown: a summary line, a table of the notable stacks, details collapsed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape as escape_html

from reconciler.app.unit import UnitKind, UnitResult, UnitState
from reconciler.core.action import Action
from reconciler.core.duration import format_instant
from reconciler.core.text import escape_markdown as escape
from reconciler.core.text import printable
from reconciler.fleet.report import FleetReport
from reconciler.views.markdown.diagnostic import diagnostic_items
from reconciler.views.markdown.text import LIMIT, code, details, fenced
from reconciler.views.phrases.fleet import activity, is_quiet, summary_line, unit_summary
from reconciler.views.phrases.plan import DONE, count

_MARKS = {UnitState.DONE: "✅", UnitState.FAILED: "❌", UnitState.TIMED_OUT: "❌"}
_DIFF = {Action.CREATE: "+", Action.RECORD: "+", Action.CLEAR: "-"}
_FOOT = 200
"""Characters reserved for the note about omitted items."""


def fleet_markdown(report: FleetReport, limit: int = LIMIT) -> str:
    """The report in at most ``limit`` characters: failures first; counts include what is omitted."""
    head = [
        f"### {report.kind.value.capitalize()} of the fleet {code(report.fleet)}",
        "",
        f"**{escape(summary_line(report))}**",
        "",
    ]
    if report.warnings:
        head += [*diagnostic_items(report.warnings), ""]
    room = limit - _size(head) - _FOOT
    told = sorted((result for result in report.results if not is_quiet(result)), key=lambda one: not one.is_failure)
    rows, room = _fit([_row(result) for result in told], room - 200)
    blocks, room = _fit([_details(result) for result in told if result.diagnostics or result.changes], room)
    lines = list(head)
    if rows:
        titles = "| stack | | last |" if report.kind is UnitKind.STATUS else "| stack | | result |"
        lines += [titles, "|---|---|---|", *(text for row in rows for text in row), ""]
    quiet = len(report.results) - len(told)
    if quiet and report.kind is not UnitKind.STATUS:
        lines += [f"{count(quiet, 'stack')} with nothing to report.", ""]
    lines += [text for block in blocks for text in block]
    left = len(told) - len(rows), sum(bool(one.diagnostics or one.changes) for one in told) - len(blocks)
    if any(left):
        lines.append(f"{count(max(left), 'more stack')} left out: this comment cannot hold them.")
    return "\n".join(lines).rstrip("\n") + "\n"


def _fit(blocks: Sequence[list[str]], room: int) -> tuple[list[list[str]], int]:
    """As many of the blocks as fit, and the remaining room."""
    kept = []
    for block in blocks:
        if _size(block) > room:
            break
        room -= _size(block)
        kept.append(block)
    return kept, room


def _size(lines: Sequence[str]) -> int:
    return sum(len(text) + 1 for text in lines)


def _row(result: UnitResult) -> list[str]:
    name = code(result.unit.id).replace("|", "\\|")
    if result.unit.kind is UnitKind.STATUS and result.state is UnitState.DONE:
        told = "<br>".join(_activities(result)) or "nothing is known"
        return [f"| {name} | | {told} |"]
    mark = _MARKS.get(result.state, "⚠️")
    if result.state is UnitState.DONE and result.changes and result.unit.kind is not UnitKind.APPLY:
        mark = "🟡"
    return [f"| {name} | {mark} {result.state.value} | {escape(unit_summary(result))} |"]


def _activities(result: UnitResult) -> Iterator[str]:
    for kind, found in result.activities.items():
        yield f"{kind.value} {format_instant(found.at)}: {escape(activity(kind, found))}, by {escape(found.by)}"
    if result.holder is not None:
        yield f"the lease is held by {escape(result.holder)}"


def _details(result: UnitResult) -> list[str]:
    lines = [*diagnostic_items(result.diagnostics), ""] if result.diagnostics else []
    if result.changes:
        lines += fenced("diff", [*_changes(result)])
    return details(f"{escape_html(printable(result.unit.id))}", lines)


def _changes(result: UnitResult) -> Iterator[str]:
    will_be = "was" if result.unit.kind is UnitKind.APPLY else "will be"
    for change in result.changes:
        drift = " [drift]" if change.drift else ""
        sign = _DIFF.get(change.action, "!")
        yield f"{sign} {printable(change.address)} {will_be} {DONE[change.action]}: {printable(change.reason)}{drift}"
    more = sum(number for action, number in result.counts.items() if action != Action.NO_OP) - len(result.changes)
    if more > 0 and not result.repeated:
        yield f"and {count(more, 'more change')}"
