"""Widths: how many cells of a terminal a text takes."""

from __future__ import annotations


def width(text: str) -> int:
    """Cells of a printable text; most CJK characters and emoji take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def pad(text: str, cells: int) -> str:
    """The text followed by blanks up to a width."""
    return text + " " * (cells - width(text))
