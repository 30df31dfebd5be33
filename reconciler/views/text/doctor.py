"""Examinations of a ledger as text: what is damaged, and what was saved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reconciler.core.text import printable
from reconciler.ledger.doctor import Findings, Survey
from reconciler.views.phrases.plan import count
from reconciler.views.text.line import Line, Style, line


def examined_lines(found: Findings) -> Iterator[Line]:
    """What `ledger doctor` found."""
    path = printable(str(found.path))
    if found.is_sound:
        yield line((f"{path} is sound: {_amount(found.survey)}.", Style.GOOD))
        return
    yield line((f"{path} is damaged.", Style.ERROR))
    for text in found.complaints:
        yield line("  ", printable(f"SQLite: {text}"), hang=4)
    yield from _unsound(found.survey)
    if not found.complaints and found.survey.is_whole:
        yield line("  the table of operations is not what the journal adds up to")
    yield line(f"Sound: {_amount(found.survey)}. To save them: reconciler ledger salvage NEW.db {path}")


def salvaged_lines(path: Path, to: Path, found: Survey) -> Iterator[Line]:
    """What `ledger salvage` copied, and what it left out."""
    yield line((f"Copied to {printable(str(to))}: {_amount(found)}.", Style.GOOD))
    if found.is_whole:
        yield line("Nothing was left out.")
    else:
        yield line(("Left out:", Style.WARNING))
        yield from _unsound(found)
    yield line(
        f"To use it, move {printable(str(path))} away, with its -wal and -shm, and put the new file in its place."
    )


def _unsound(found: Survey) -> Iterator[Line]:
    for number, why in found.unsound_runs.items():
        yield line("  ", printable(f"run {number}: {why}"), hang=4)
    for number, why in found.unsound_rows.items():
        yield line("  ", printable(f"row {number} of the journal: {why}"), hang=4)
    if not found.end_known:
        yield line("  the end of a table cannot be read: later rows may be missing")


def _amount(found: Survey) -> str:
    return f"{count(len(found.runs), 'run')} and {count(len(found.rows), 'row')} of the journal"
