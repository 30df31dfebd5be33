"""The report: the rows as a table for a terminal, and as a page for the documentation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rich.table import Table

from tests.benchmarks.row import Row

HEADINGS = ("work", "against", "ours", "theirs", "ratio", "spread", "target", "note")

_HEAD = """\
# Benchmarks

Written by `make bench`, which installs the tools that it compares reconciler with, runs both in turns on the same
work, and reports medians. A ratio is ours to theirs, the median of the ratios of all rounds; the spread is the lowest
and the highest of them. Absolute numbers depend on the machine and its load; ratios are more portable.
`python -m tests.benchmarks NAME` measures one group again, and replaces its section.

"""
_BEGIN, _END = "<!-- by hand -->", "<!-- measured -->"


def table(name: str, rows: Sequence[Row]) -> Table:
    """The rows of one benchmark, for a terminal."""
    shown = Table(title=name, title_justify="left")
    for heading in HEADINGS:
        words = heading in ("work", "against", "note")
        shown.add_column(heading, overflow="fold", justify="left" if words else "right", no_wrap=not words)
    for row in rows:
        shown.add_row(*cells(row))
    return shown


def section(rows: Sequence[Row], machine: str, picture: str = "") -> str:
    """What the page says of one benchmark: where it was measured, the rows, and the name of the file of its curves."""
    shown = [f"![{_alternative(rows)}]({picture})"] if picture else []
    return "\n\n".join([f"{machine}.", *shown, _markdown(rows)])


def page(sections: Mapping[str, str], before: str = "") -> str:
    """The page for the documentation: what it said ``before``, with these sections new, by name.

    What somebody wrote about the results, between two comments, is kept.
    """
    _, begun, rest = before.partition(_BEGIN)
    words = f"{_BEGIN}{rest.partition(_END)[0]}{_END}\n\n" if begun else ""
    parts = re.split("^## (.+)\n", before, flags=re.MULTILINE)[1:]
    kept = dict(zip(parts[::2], parts[1::2], strict=True))
    all_ = {**{name: text.strip("\n") for name, text in kept.items()}, **sections}
    return _HEAD + words + "\n\n".join(f"## {name}\n\n{all_[name]}" for name in sorted(all_)) + "\n"


def _alternative(rows: Sequence[Row]) -> str:
    points = [row.point for row in rows if row.point is not None]
    panels, curves = (
        ", ".join(dict.fromkeys(each)) for each in zip(*((p.panel, p.curve) for p in points), strict=True)
    )
    return f"{panels}: {curves}, by number of alarms"


def missed(benchmarks: Mapping[str, Sequence[Row]]) -> list[Row]:
    """The rows whose target is missed."""
    return [row for rows in benchmarks.values() for row in rows if row.met is False]


def cells(row: Row) -> tuple[str, ...]:
    """The texts of a row, in the order of the headings."""
    unit = f" {row.unit}" if row.unit else ""
    spread = "" if row.spread is None else f"{_number(row.spread[0])} to {_number(row.spread[1])}"
    return (
        row.work,
        row.against,
        "" if row.ours is None else f"{_number(row.ours)}{unit}",
        "" if row.theirs is None else f"{_number(row.theirs)}{unit}",
        "" if row.ratio is None else _number(row.ratio),
        spread,
        _target(row),
        row.note,
    )


def _target(row: Row) -> str:
    if row.target is None:
        return ""
    bound = f"{'≥' if row.at_least else '≤'} {_number(row.target)}"
    return bound if row.met is None else f"{bound} {'met' if row.met else 'missed'}"


def _number(value: float) -> str:
    if value >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 or value == round(value) else f"{value:.3g}"


def _markdown(rows: Sequence[Row]) -> str:
    lines = [f"| {' | '.join(HEADINGS)} |", f"|{'---|' * 2}{'---:|' * 5}---|"]
    lines += [f"| {' | '.join(_escaped(cell) for cell in cells(row))} |" for row in rows]
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("_", "\\_")
