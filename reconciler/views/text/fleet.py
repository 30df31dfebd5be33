"""The report of a fleet as text: a table of its stacks, changes, errors, and a summary line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.app.unit import UnitChange, UnitKind, UnitResult, UnitState
from reconciler.core.action import Action
from reconciler.core.diagnostic import Diagnostic, Severity
from reconciler.core.duration import rough_duration
from reconciler.core.text import printable
from reconciler.fleet.report import FleetReport, has_changes
from reconciler.fleet.spec import FleetFile
from reconciler.views.phrases.fleet import activity, is_quiet, summary_line, unit_summary
from reconciler.views.phrases.plan import DONE, count, join_words
from reconciler.views.text.diagnostic import diagnostic_lines
from reconciler.views.text.line import BLANK, Line, Span, Style, line, table_lines

QUIET = 20
"""Up to this number, stacks without anything to report are shown one by one."""
_NAMED = 5
"""How many stacks with the same problem are named."""
_TITLES = ("STACK", "RESULT", "TOOK", "")
_STATUS_TITLES = ("STACK", "LAST", "WHEN", "RESULT", "BY")
_ACTIONS = {
    Action.CREATE: Style.ADD,
    Action.UPDATE: Style.CHANGE,
    Action.REPLACE: Style.REPLACE,
    Action.RENEW: Style.CHANGE,
    Action.MOVE: Style.CHANGE,
    Action.CLEAR: Style.CLEAR,
    Action.FORGET: Style.CLEAR,
    Action.RECORD: Style.RECORD,
}


def fleet_lines(report: FleetReport, *, full: bool = False) -> Iterator[Line]:
    """The report without its warnings; unless ``full``, stacks without anything to report are only counted if there are
    many.
    """
    if report.kind is UnitKind.STATUS:
        yield from _status_lines(report)
    else:
        quiet = [result for result in report.results if is_quiet(result)]
        hidden = set(map(id, quiet)) if len(quiet) > QUIET and not full else set()
        for wave in report.waves:
            yield from _wave_lines(wave.name, [result for result in wave.results if id(result) not in hidden])
        if hidden:
            yield line((f"{count(len(hidden), 'stack')} with nothing to report  (--full shows all)", Style.DIM))
            yield BLANK
    if report.kind in (UnitKind.PLAN, UnitKind.DRIFT):
        for result in report.results:
            if result.changes:
                yield from change_lines(result)
                yield BLANK
    yield from _trouble_lines(report.results)
    yield line((summary_line(report), _style(report)))


def fleet_validation_lines(file: FleetFile, stacks: int) -> Iterator[Line]:
    """One line: that a fleet file is valid, and what it declares."""
    parts = [count(stacks, "stack")]
    parts += [count(len(file.spec.environments), "environment")] if file.spec.environments else []
    parts += [count(len(file.spec.waves), "wave")] if file.spec.waves else []
    yield line(("Valid.", Style.OK), f" The fleet {printable(file.name)} has {join_words(parts)}.")


def change_lines(result: UnitResult) -> Iterator[Line]:
    """The changes of one stack, by address."""
    yield line((printable(result.unit.id), Style.BOLD), (_name(result), Style.DIM), ":")
    for change in result.changes:
        yield line("  ", *_change(change), hang=4)
    more = sum(number for action, number in result.counts.items() if action != Action.NO_OP) - len(result.changes)
    if more > 0:
        yield line(f"  and {count(more, 'more change')}")


def _trouble_lines(results: Sequence[UnitResult]) -> Iterator[Line]:
    """The errors and warnings of stacks, each under their names; the table says why a stack was not started."""
    groups: dict[tuple[Diagnostic, ...], list[str]] = {}
    for result in results:
        if result.diagnostics and result.state is not UnitState.NOT_RUN:
            groups.setdefault(result.diagnostics, []).append(printable(result.unit.id))
    for diagnostics, names in groups.items():
        more = len(names) - _NAMED
        yield line((", ".join(names[:_NAMED]), Style.BOLD), f" and {more} more:" if more > 0 else ":")
        yield from diagnostic_lines(diagnostics, full=False)
        if len(diagnostics) > 1:
            yield BLANK


def result_span(result: UnitResult) -> Span:
    """The state of a unit in a word."""
    if result.state is UnitState.DONE:
        if result.unit.kind is UnitKind.CHECK:
            return Span("passed", Style.OK) if result.counts else Span("-", Style.DIM)
        found = result.unit.kind is not UnitKind.APPLY and has_changes(result)
        return Span("drift" if result.unit.kind is UnitKind.DRIFT else "changes", Style.CHANGE) if found else _GOOD
    bad = result.state in (UnitState.FAILED, UnitState.TIMED_OUT)
    return Span(result.state.value, Style.ERROR if bad else Style.WARNING)


_GOOD = Span("ok", Style.OK)


def _wave_lines(name: str, results: Sequence[UnitResult]) -> Iterator[Line]:
    if not results:
        return
    if name:
        yield line("Wave ", (printable(name), Style.BOLD))
    yield from table_lines(_TITLES, [_row(result) for result in results])
    yield BLANK


def _row(result: UnitResult) -> tuple[Span, ...]:
    took = rough_duration(result.ended_at - result.started_at) if result.started_at else ""
    return Span(printable(result.unit.id), Style.BOLD), result_span(result), Span(took), Span(_short(result))


def _short(result: UnitResult) -> str:
    return printable(unit_summary(result))


def _change(change: UnitChange) -> tuple[tuple[str, Style] | str, ...]:
    drift = "  [drift]" if change.drift else ""
    return (
        (f"{change.action.sign} {printable(change.address)}", _ACTIONS.get(change.action, Style.PLAIN)),
        f" will be {DONE[change.action]}: {printable(change.reason)}",
        (drift, Style.CHANGE),
    )


def _name(result: UnitResult) -> str:
    return f" ({printable(result.stack)})" if result.stack else ""


def _status_lines(report: FleetReport) -> Iterator[Line]:
    rows: list[tuple[Span, ...]] = []
    for result in report.results:
        told = list(_activities(result, report.ended_at)) or [(Span("-", Style.DIM), Span(""), Span(""), Span(""))]
        names = [Span(printable(result.unit.id), Style.BOLD), *[Span("")] * (len(told) - 1)]
        rows += [(name, *cells) for name, cells in zip(names, told, strict=True)]
    if rows:
        yield from table_lines(_STATUS_TITLES, rows)
        yield BLANK


def _activities(result: UnitResult, now: int) -> Iterator[tuple[Span, Span, Span, Span]]:
    if result.state is not UnitState.DONE:
        yield Span("-", Style.DIM), Span(""), result_span(result), Span(_short(result))
    for kind in (UnitKind.PLAN, UnitKind.APPLY, UnitKind.DRIFT, UnitKind.CHECK):
        found = result.activities.get(kind)
        if found is not None:
            ago = f"{rough_duration(max(0, now - found.at))} ago"
            yield Span(kind.value), Span(ago), Span(activity(kind, found)), Span(printable(found.by))
    if result.holder is not None:
        yield Span("lease"), Span("now", Style.WARNING), Span("held", Style.WARNING), Span(printable(result.holder))


def _style(report: FleetReport) -> Style:
    if report.has_nothing_to_pass:
        return Style.ERROR
    if all(result.state is UnitState.DONE for result in report.results):
        warned = any(found.severity is Severity.WARNING for found in report.warnings)
        return Style.WARNING if warned else Style.OK
    return Style.ERROR if any(result.is_failure for result in report.results) else Style.WARNING
