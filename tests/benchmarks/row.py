"""Rows: what one comparison found."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple


class Point(NamedTuple):
    """A place on a curve: what is drawn, for how many objects."""

    panel: str
    curve: str
    count: int


class Row(NamedTuple):
    """One line of the table. ``ours`` and ``theirs`` are medians of several rounds, in ``unit``.

    ``ratio`` is the median of the rounds' ratios of ours to theirs, ``spread`` the lowest and the highest of them.
    ``target`` is what the ratio should be at most, or with ``at_least`` at least; None where nothing is aimed at. A row
    with a ``point`` is drawn too.
    """

    work: str
    against: str
    ours: float | None
    theirs: float | None
    ratio: float | None
    target: float | None = None
    note: str = ""
    spread: tuple[float, float] | None = None
    unit: str = "s"
    at_least: bool = False
    point: Point | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none, or nothing to compare with."""
        if self.target is None or self.ratio is None:
            return None
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target


def compared(
    work: str,
    against: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    target: float | None = None,
    *,
    unit: str = "s",
    at_least: bool = False,
    note: str = "",
) -> Row:
    """The row for two sides that took turns: one number of each for every round."""
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    spread = (min(ratios), max(ratios))
    return Row(work, against, median(ours), median(theirs), median(ratios), target, note, spread, unit, at_least)


def alone(work: str, numbers: Sequence[float], *, unit: str = "s", note: str = "") -> Row:
    """The row for a number that is compared with nothing."""
    return Row(work, "", median(numbers), None, None, note=note, unit=unit)


def incomparable(work: str, against: str, why: str) -> Row:
    """The row for an alternative that cannot be had here."""
    return Row(work, against, None, None, None, note=f"skipped: {why}")
