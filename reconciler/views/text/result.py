"""Results as text: operations that are not done and why, unconfirmed effects, a summary line, the next command."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from reconciler.apply.result import Result
from reconciler.core.operation import Status
from reconciler.core.text import printable
from reconciler.session.other_stacks import OtherStacks
from reconciler.views.phrases.other_stacks import other_stack, others_head, others_unread
from reconciler.views.phrases.plan import count
from reconciler.views.phrases.result import (
    Remaining,
    ending,
    per_provider,
    possible_duplicates,
    remaining,
    summary_line,
    unconfirmed,
)
from reconciler.views.text.changes import ALIKE, STYLES, more_line
from reconciler.views.text.line import BLANK, Line, Style, line
from reconciler.views.text.plan import target_lines, warning_lines

_STATUS = {Status.FAILED.value: Style.ERROR, Status.UNKNOWN.value: Style.WARNING}


def others_lines(others: OtherStacks) -> Iterator[Line]:
    """Other stacks of the ledger with active alarms; empty if there are none."""
    if others.firing:
        yield line(others_head(others))
    for stack in others.firing:
        yield line("  ", (printable(stack.name), Style.BOLD), f": {printable(other_stack(stack))}", hang=4)
    unread = others_unread(others)
    if unread is not None:
        yield line(printable(unread))


def result_lines(result: Result, again: str, *, full: bool = True) -> Iterator[Line]:
    """The result of a plan; ``again`` is the command that continues it.

    Unless ``full``, instances of a for_each with the same outcome are shown as one.
    """
    left = list(remaining(result))
    if not result.plan.pending:  # the plan was not shown then
        yield from warning_lines(result.plan)
        yield from target_lines(result.plan.targets)
    if left:
        yield line(("Not done:", Style.BOLD))
        by_address = [list(group) for _, group in groupby(left, key=lambda item: item.change.address)]
        for alike in [[group] for group in by_address] if full else _alike(by_address):
            for group in alike if len(alike) <= ALIKE else alike[:1]:
                yield from _undone(group)
            if len(alike) > ALIKE:
                yield more_line([group[0].change.address for group in alike[1:]], 6)
        yield BLANK
    unseen = [operation.address for operation in unconfirmed(result)]
    if unseen:
        yield line(
            ("Not confirmed", Style.WARNING),
            f": {count(len(unseen), 'operation')} done, but the effect was not visible in time:",
        )
        for address in dict.fromkeys(unseen):
            yield line("    ", printable(str(address)), hang=6)
        yield BLANK
    twice = possible_duplicates(result)
    if twice:
        yield line(
            ("May fire twice", Style.WARNING),
            f": {count(len(twice), 'alarm')} pushed again; the next apply clears a duplicate:",
        )
        for text in twice:
            yield line("    ", printable(text), hang=6)
        yield BLANK
    why = ending(result)
    if why is not None:
        yield line((printable(why), Style.WARNING))
    if result.origin is not None:
        yield line((printable(f"Run {result.run} by {result.origin}"), Style.DIM), hang=4)
    yield line((printable(summary_line(result)), Style.BOLD if left else Style.OK))
    for provider, share in per_provider(result).items():
        yield line("  ", printable(f"{provider}: {share}"), hang=4)
    if left:
        yield line("To continue: ", (printable(again), Style.BOLD))


def _alike(groups: list[list[Remaining]]) -> Iterable[list[list[Remaining]]]:
    """Group the instances of a for_each whose operations have the same outcomes, in plan order."""
    found: dict[object, list[list[Remaining]]] = {}
    for group in groups:
        address = group[0].change.address
        ended = tuple((item.operation.verb, item.status, item.error and item.error.message) for item in group)
        found.setdefault((address.type, address.name, ended), []).append(group)
    return found.values()


def _undone(items: list[Remaining]) -> Iterator[Line]:
    change = items[0].change
    yield line((f"{change.sign:>3} ", STYLES[change.action]), (printable(str(change.address)), Style.BOLD), hang=6)
    for item in items:
        yield line(
            "      ",
            f"{item.operation.verb}: ",
            (item.status, _STATUS.get(item.status, Style.PLAIN)),
            f", {printable(str(item.error))}" if item.error else "",
            hang=8,
        )
        if item.error and item.error.request:
            yield line("        ", (printable(item.error.request), Style.DIM), hang=8)
