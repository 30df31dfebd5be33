"""Rows: what one comparison found."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table. ``ours`` and ``theirs`` are seconds, best of several rounds, or what ``note`` says.

    ``ratio`` is ours to theirs, ``target`` what it should be at most; None where there is nothing to compare with.
    """

    work: str
    against: str
    ours: float | None
    theirs: float | None
    ratio: float | None
    target: float | None = None
    note: str = ""
